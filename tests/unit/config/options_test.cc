// Secrets, names and fingerprints.
#include "datapy_kafka/config/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <sstream>

namespace datapy_kafka::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCanary[] = "hunter2-canary";

TEST(SecretTest, DoesNotPrint) {
  std::ostringstream out;
  out << Secret(kCanary) << Secret();
  EXPECT_EQ(out.str(), "***");
  EXPECT_EQ(::testing::PrintToString(Secret(kCanary)), "***");
}

TEST(SecretTest, KeepsItsText) {
  const Secret secret(kCanary);
  EXPECT_EQ(secret.Reveal(), kCanary);
  EXPECT_FALSE(secret.empty());
  EXPECT_TRUE(Secret().empty());
}

TEST(SecretTest, CopiesAndCompares) {
  Secret copy(std::string(100, 'x'));
  const Secret secret(kCanary);
  copy = secret;
  EXPECT_EQ(copy, secret);
  const Secret& same = copy;
  copy = same;
  EXPECT_EQ(copy.Reveal(), kCanary);
  EXPECT_FALSE(copy == Secret("other"));
}

TEST(NamesTest, AreThoseOfKafka) {
  EXPECT_EQ(ToString(SecurityProtocol::kPlaintext), "PLAINTEXT");
  EXPECT_EQ(ToString(SecurityProtocol::kSsl), "SSL");
  EXPECT_EQ(ToString(SecurityProtocol::kSaslPlaintext), "SASL_PLAINTEXT");
  EXPECT_EQ(ToString(SecurityProtocol::kSaslSsl), "SASL_SSL");
  EXPECT_EQ(ToString(SaslMechanism::kPlain), "PLAIN");
  EXPECT_EQ(ToString(SaslMechanism::kScramSha256), "SCRAM-SHA-256");
  EXPECT_EQ(ToString(SaslMechanism::kScramSha512), "SCRAM-SHA-512");
  EXPECT_EQ(ToString(OffsetReset::kEarliest), "earliest");
  EXPECT_EQ(ToString(OffsetReset::kLatest), "latest");
  EXPECT_EQ(ToString(OffsetReset::kNone), "none");
}

TEST(NamesTest, AConnectionIsShownByItsNameOrItsServers) {
  ConnectionOptions connection;
  connection.bootstrap_servers = "kafka:9092";
  EXPECT_EQ(connection.DisplayName(), "kafka:9092");
  connection.name = "orders";
  EXPECT_EQ(connection.DisplayName(), "orders");
}

TEST(FingerprintTest, EqualForEqualConnections) {
  ConnectionOptions one;
  one.bootstrap_servers = "kafka:9092";
  one.sasl_password = Secret(kCanary);
  one.properties = {{"client.id", "x"}};
  const ConnectionOptions two = one;
  EXPECT_EQ(one.Fingerprint(), two.Fingerprint());
}

TEST(FingerprintTest, EveryFieldCounts) {
  const std::vector<std::function<void(ConnectionOptions&)>> changes = {
      [](auto&) {},
      [](auto& c) { c.name = "n"; },
      [](auto& c) { c.bootstrap_servers = "n"; },
      [](auto& c) { c.security_protocol = SecurityProtocol::kSsl; },
      [](auto& c) { c.sasl_mechanism = SaslMechanism::kScramSha512; },
      [](auto& c) { c.sasl_username = "n"; },
      [](auto& c) { c.sasl_password = Secret("n"); },
      [](auto& c) { c.ssl_ca_pem = "n"; },
      [](auto& c) { c.ssl_certificate_pem = "n"; },
      [](auto& c) { c.ssl_key_pem = Secret("n"); },
      [](auto& c) { c.ssl_key_password = Secret("n"); },
      [](auto& c) {
        c.properties = {{"a", "b"}};
      },
      [](auto& c) {
        c.properties = {{"ab", ""}};
      },
      [](auto& c) {
        c.properties = {{"", "ab"}};
      },
  };
  std::set<std::string> fingerprints;
  for (const auto& change : changes) {
    ConnectionOptions connection;
    change(connection);
    fingerprints.insert(connection.Fingerprint());
  }
  EXPECT_EQ(fingerprints.size(), changes.size());
}

TEST(FingerprintTest, HoldsNoSecret) {
  ConnectionOptions connection;
  connection.sasl_password = Secret(kCanary);
  connection.ssl_key_pem = Secret(kCanary);
  EXPECT_THAT(connection.Fingerprint(), Not(HasSubstr(kCanary)));
  EXPECT_EQ(connection.Fingerprint().size(), 64u) << "SHA-256 in hex";
}

}  // namespace
}  // namespace datapy_kafka::config
