// What a connection and a session may ask for, and how a refusal reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "datapy_kafka/base/error.h"
#include "datapy_kafka/config/options.h"

namespace datapy_kafka::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCanary[] = "hunter2-canary";
constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\n";

ConnectionOptions Login() {
  ConnectionOptions connection;
  connection.bootstrap_servers = "kafka:9093";
  connection.security_protocol = SecurityProtocol::kSaslSsl;
  connection.sasl_username = "app";
  connection.sasl_password = Secret(kCanary);
  return connection;
}

SessionOptions Session() {
  SessionOptions session;
  session.topics = {"orders"};
  session.group_id = "billing";
  return session;
}

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class ServersTest : public ::testing::TestWithParam<const char*> {};
class BadServersTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ServersTest, AreAccepted) {
  ConnectionOptions connection;
  connection.bootstrap_servers = GetParam();
  EXPECT_EQ(ValidateConnection(connection), absl::OkStatus());
}
INSTANTIATE_TEST_SUITE_P(All, ServersTest,
                         ::testing::Values("kafka:9092", "kafka", "a:1,b:65535", "a:1, b:2", "[::1]:9092",
                                           "10.0.0.1:9092"));

TEST_P(BadServersTest, AreRefusedByName) {
  ConnectionOptions connection;
  connection.bootstrap_servers = GetParam();
  const absl::Status status = ValidateConnection(connection);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("bootstrap_servers"));
}
INSTANTIATE_TEST_SUITE_P(All, BadServersTest,
                         ::testing::Values("http://h:1", "h:9092;i:9092", "h:+9092", "h:9092:9093", "", ":9092",
                                           "kafka:0", "kafka:65536", "kafka:port", "a:1,,b:2", "a b:1",
                                           "kafka:9092/topic", "${KAFKA.SERVERS}", "kafka:9092,", "ka\nfka:1",
                                           "app:hunter2-canary@kafka:9092"));

TEST(ConnectionTest, ALoginInTheServersIsNotShown) {
  ConnectionOptions connection;
  connection.bootstrap_servers = "app:hunter2-canary@kafka:9092";
  EXPECT_THAT(MessageOf(ValidateConnection(connection)), Not(HasSubstr(kCanary)));
}

struct BadConnection {
  std::function<void(ConnectionOptions&)> change;
  const char* says;
};

TEST(ConnectionTest, EachMistakeIsNamed) {
  const BadConnection table[] = {
      {[](auto& c) { c.sasl_username = ""; }, "sasl_username is missing"},
      {[](auto& c) { c.sasl_username = "${KAFKA.USER}"; }, "sasl_username is a placeholder"},
      {[](auto& c) { c.sasl_password = Secret(); }, "sasl_password is missing"},
      {[](auto& c) { c.sasl_password = Secret("${hunter2-canary}"); }, "sasl_password is a placeholder"},
      {[](auto& c) { c.security_protocol = SecurityProtocol::kSsl; }, "does not use them"},
      {[](auto& c) {
         c.security_protocol = SecurityProtocol::kSaslPlaintext;
         c.ssl_ca_pem = kPem;
       },
       "certificates are given"},
      {[](auto& c) { c.ssl_certificate_pem = kPem; }, "ssl_key is missing"},
      {[](auto& c) { c.ssl_key_pem = Secret(kPem); }, "ssl_certificate is missing"},
      {[](auto& c) { c.ssl_ca_pem = "/etc/ca.pem"; }, "ssl_ca is no PEM text"},
      {[](auto& c) {
         c.ssl_certificate_pem = kPem;
         c.ssl_key_pem = Secret(kCanary);
       },
       "ssl_key is no PEM text"},
      {[](auto& c) { c.properties["debug"] = "all"; }, "\"debug\""},
  };
  EXPECT_EQ(ValidateConnection(Login()), absl::OkStatus());
  for (const BadConnection& bad : table) {
    ConnectionOptions connection = Login();
    bad.change(connection);
    const std::string message = MessageOf(ValidateConnection(connection));
    EXPECT_THAT(message, HasSubstr(bad.says));
    EXPECT_THAT(message, Not(HasSubstr(kCanary)));
  }
}

TEST(ConnectionTest, AllMistakesComeAtOnce) {
  ConnectionOptions connection = Login();
  connection.bootstrap_servers = "";
  connection.sasl_username = "";
  connection.ssl_ca_pem = "no pem";
  connection.properties["plugin.library.paths"] = "/tmp/evil.so";
  const absl::Status status = ValidateConnection(connection);
  EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kInvalidArgument);
  for (const char* part : {"bootstrap_servers", "sasl_username", "ssl_ca", "plugin.library.paths"}) {
    EXPECT_THAT(MessageOf(status), HasSubstr(part));
  }
}

TEST(ConnectionTest, ARefusedPropertyAloneHasItsOwnReason) {
  ConnectionOptions connection = Login();
  connection.properties["debug"] = "all";
  EXPECT_EQ(GetErrorInfo(ValidateConnection(connection)).reason, ErrorReason::kPropertyRefused);
}

struct BadSession {
  std::function<void(SessionOptions&)> change;
  const char* says;
};

TEST(SessionTest, EachMistakeIsNamed) {
  const BadSession table[] = {
      {[](auto& s) { s.topics.clear(); }, "topics is empty"},
      {[](auto& s) { s.topics.assign(1001, "t"); }, "topics has 1001 entries"},
      {[](auto& s) { s.topics = {""}; }, "topics holds \"\""},
      {[](auto& s) { s.topics = {"."}; }, "topics holds \".\""},
      {[](auto& s) { s.topics = {"a b"}; }, "topics holds \"a b\""},
      {[](auto& s) { s.topics = {"naïve"}; }, "topics holds"},
      {[](auto& s) { s.topics = {std::string(250, 't')}; }, "topics holds"},
      {[](auto& s) { s.topics = {"${a.b}"}; }, "placeholder"},
      {[](auto& s) { s.topics = {"^orders["}; }, "no valid regular expression"},
      {[](auto& s) { s.topics = {"^" + std::string(1100, 'a')}; }, "no valid regular expression"},
      // Would take the library's memory.
      {[](auto& s) { s.topics = {"^(((a{1,255}){1,255}){1,255})"}; }, "no valid regular expression"},
      {[](auto& s) { s.group_id = ""; }, "group_id is missing"},
      {[](auto& s) { s.group_id = std::string(256, 'g'); }, "group_id is longer"},
      {[](auto& s) { s.group_id = "${a.b}"; }, "group_id is \"${a.b}\""},
      {[](auto& s) { s.failure_policy.max_retries = 1001; }, "max_retries is 1001"},
      {[](auto& s) { s.failure_policy.backoff.clear(); }, "retry_backoff_ms has 0"},
      {[](auto& s) { s.failure_policy.backoff.assign(101, absl::Seconds(1)); }, "retry_backoff_ms has 101"},
      {[](auto& s) { s.failure_policy.backoff = {absl::Seconds(-1)}; }, "retry_backoff_ms holds -1000"},
      {[](auto& s) { s.failure_policy.backoff = {absl::Hours(2)}; }, "retry_backoff_ms holds 7200000"},
      {[](auto& s) { s.max_in_flight_records = 0; }, "max_in_flight_records is 0"},
      {[](auto& s) { s.max_in_flight_bytes = 0; }, "max_in_flight_bytes is 0"},
      {[](auto& s) { s.drain_timeout = absl::Seconds(-1); }, "drain_timeout is -1s"},
      {[](auto& s) { s.drain_timeout = absl::InfiniteDuration(); }, "drain_timeout is inf"},
      {[](auto& s) { s.ack_timeout = absl::ZeroDuration(); }, "ack_timeout is 0"},
      {[](auto& s) { s.commit_report_interval = absl::Hours(25); }, "commit_report_interval is 25h"},
  };
  EXPECT_EQ(ValidateSession(Session()), absl::OkStatus());
  for (const BadSession& bad : table) {
    SessionOptions session = Session();
    bad.change(session);
    const absl::Status status = ValidateSession(session);
    EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kInvalidArgument) << bad.says;
    EXPECT_THAT(MessageOf(status), HasSubstr(bad.says));
  }
}

TEST(SessionTest, TopicsOfEveryLegalKind) {
  SessionOptions session = Session();
  session.topics = {"a", "A.b_c-9", std::string(249, 't'), "^orders-.*", "^(a|b)[0-9]+$", "..."};
  EXPECT_EQ(ValidateSession(session), absl::OkStatus());
}

TEST(SessionTest, AllMistakesComeAtOnce) {
  SessionOptions session;
  session.max_in_flight_records = 0;
  const std::string message = MessageOf(ValidateSession(session));
  for (const char* part : {"topics", "group_id", "max_in_flight_records"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

}  // namespace
}  // namespace datapy_kafka::config
