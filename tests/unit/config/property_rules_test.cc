// Which librdkafka properties a job may set, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapy_kafka/base/error.h"
#include "datapy_kafka/config/options.h"

namespace datapy_kafka::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Refusal(const std::string& name, ClientKind kind = ClientKind::kConsumer) {
  const absl::Status status = ValidateProperties({{name, "hunter2-canary"}}, kind);
  if (status.ok()) return "";
  EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kPropertyRefused);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2-canary")));
  return std::string(status.message());
}

TEST(PropertyRulesTest, WhatIsRefusedSaysWhyOrWhatToUse) {
  const struct {
    const char* name;
    const char* says;
  } table[] = {
      {"plugin.library.paths", "loads code"},
      {"ssl.engine.location", "loads code"},
      {"ssl.engine.id", "loads code"},
      {"ssl.providers", "loads code"},
      {"debug", "secrets"},
      {"enable.auto.commit", "commits what the job acked"},
      {"auto.commit.interval.ms", "commits what the job acked"},
      {"auto.commit.enable", "commits what the job acked"},
      {"enable.auto.offset.store", "commits what the job acked"},
      {"offset.store.method", "commits what the job acked"},
      {"auto.offset.reset", "auto_offset_reset"},
      {"bootstrap.servers", "bootstrap_servers"},
      {"metadata.broker.list", "bootstrap_servers"},
      {"group.id", "group_id"},
      {"security.protocol", "security_protocol"},
      {"sasl.mechanism", "sasl_mechanism"},
      {"sasl.mechanisms", "sasl_mechanism"},
      {"sasl.username", "sasl_username"},
      {"sasl.password", "sasl_password"},
      {"ssl.ca.location", "ssl_ca_location"},
      {"ssl.ca.pem", "ssl_ca_location"},
      {"ssl.certificate.pem", "ssl_cert_location"},
      {"ssl.key.password", "ssl_key_password"},
      {"ssl.key.location", "ssl_key_location"},
      {"ssl.keystore.location", "PEM"},
      {"ssl.crl.location", "opens files"},
      {"sasl.kerberos.kinit.cmd", "runs programs"},
      {"sasl.oauthbearer.token.endpoint.url", "OAUTHBEARER"},
      {"acks", "all replicas"},
      {"request.required.acks", "all replicas"},
      {"enable.idempotence", "idempotent"},
      {"transactional.id", "transactions"},
  };
  for (const auto& row : table) {
    for (const ClientKind kind : {ClientKind::kConsumer, ClientKind::kProducer}) {
      EXPECT_THAT(Refusal(row.name, kind), HasSubstr(row.says)) << row.name;
      EXPECT_THAT(Refusal(row.name, kind), HasSubstr(row.name));
      EXPECT_FALSE(PropertyAppliesTo(row.name, kind)) << row.name;
    }
  }
}

TEST(PropertyRulesTest, WhatNobodyAllowedIsRefused) {
  // Unknown ones, those with a meaning that a job must not reach, and names
  // that only begin, end or are spelled like others.
  for (const char* name : {"",
                           "no.such.property",
                           "log_level",
                           "log.queue",
                           "opaque",
                           "error_cb",
                           "consume.callback.max.messages",
                           "internal.termination.signal",
                           "builtin.features",
                           "test.mock.num.brokers",
                           "ssl_ca",
                           "ssl_certificate",
                           "enable.partition.eof",
                           "enable.gapless.guarantee",
                           "group.protocol",
                           "broker.version.fallback",
                           "debugx",
                           "acksx",
                           "group.identity",
                           "session.timeout.ms ",
                           "Session.Timeout.Ms",
                           "session.timeout.ms\n"}) {
    EXPECT_THAT(Refusal(name), HasSubstr("not among those that a job may set")) << name;
  }
}

TEST(PropertyRulesTest, AReasonIsGivenForItsOwnNameOnly) {
  for (const char* name : {"debugx", "acksx", "ssl.providersx"}) {
    EXPECT_THAT(Refusal(name), HasSubstr("not among those")) << name;
  }
}

TEST(PropertyRulesTest, WhatTunesIsAllowed) {
  for (const char* name :
       {"client.id", "socket.timeout.ms", "message.max.bytes", "topic.metadata.refresh.interval.ms"}) {
    EXPECT_EQ(Refusal(name, ClientKind::kConsumer), "") << name;
    EXPECT_EQ(Refusal(name, ClientKind::kProducer), "") << name;
  }
  for (const char* name : {"session.timeout.ms", "fetch.max.bytes", "max.poll.interval.ms", "isolation.level",
                           "partition.assignment.strategy", "group.instance.id"}) {
    EXPECT_EQ(Refusal(name, ClientKind::kConsumer), "") << name;
    EXPECT_THAT(Refusal(name, ClientKind::kProducer), HasSubstr("it is a consumer's")) << name;
  }
  for (const char* name : {"linger.ms", "compression.type", "delivery.timeout.ms", "partitioner"}) {
    EXPECT_EQ(Refusal(name, ClientKind::kProducer), "") << name;
    EXPECT_THAT(Refusal(name, ClientKind::kConsumer), HasSubstr("it is a producer's")) << name;
  }
}

TEST(PropertyRulesTest, AJobDoesNotTakeAllOfTheMemory) {
  const auto check = [](const std::string& name, const std::string& value) {
    return ValidateProperties({{name, value}}, ClientKind::kConsumer);
  };
  for (const char* name : {"fetch.max.bytes", "fetch.message.max.bytes", "max.partition.fetch.bytes",
                           "receive.message.max.bytes"}) {
    EXPECT_TRUE(check(name, "268435456").ok()) << name;
    const absl::Status status = check(name, "268436481");
    EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kPropertyRefused);
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  EXPECT_TRUE(check("queued.max.messages.kbytes", "262144").ok());
  EXPECT_FALSE(check("queued.max.messages.kbytes", "262145").ok());
  EXPECT_FALSE(ValidateConnectionProperties({{"receive.message.max.bytes", "2000000000"}}).ok());
}

TEST(PropertyRulesTest, AConnectionHoldsThoseOfBothSides) {
  EXPECT_EQ(ValidateConnectionProperties({{"linger.ms", "5"}, {"session.timeout.ms", "6000"}}),
            absl::OkStatus());
  EXPECT_TRUE(PropertyAppliesTo("linger.ms", ClientKind::kProducer));
  EXPECT_FALSE(PropertyAppliesTo("linger.ms", ClientKind::kConsumer));
  EXPECT_FALSE(ValidateConnectionProperties({{"debug", "all"}}).ok());
}

TEST(PropertyRulesTest, AllRefusalsComeAtOnce) {
  const absl::Status status = ValidateProperties(
      {{"debug", "all"}, {"linger.ms", "5"}, {"session.timeout.ms", "6000"}}, ClientKind::kConsumer);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"debug\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"linger.ms\""));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("session.timeout.ms")));
}

TEST(PropertyRulesTest, ALongNameIsCut) { EXPECT_LT(Refusal(std::string(100'000, 'x')).size(), 300u); }

TEST(PropertyRulesTest, ASessionDoesNotWeakenTheTlsOfItsConnection) {
  const Properties weak = {{"enable.ssl.certificate.verification", "false"}};
  EXPECT_TRUE(ValidateConnectionProperties(weak).ok());
  for (const ClientKind kind : {ClientKind::kConsumer, ClientKind::kProducer}) {
    const absl::Status status = ValidateProperties(weak, kind);
    EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kPropertyRefused);
    EXPECT_TRUE(PropertyAppliesTo("enable.ssl.certificate.verification", kind));
  }
}

TEST(PropertyRulesTest, AJobDoesNotRaiseTheOperatorsBounds) {
  for (const char* name :
       {"queue.buffering.max.kbytes", "queue.buffering.max.messages", "statistics.interval.ms"}) {
    EXPECT_FALSE(ValidateConnectionProperties({{name, "1"}}).ok()) << name;
  }
}

}  // namespace
}  // namespace datapy_kafka::config
