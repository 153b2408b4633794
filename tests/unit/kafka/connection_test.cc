// Connecting: what is found, and what stands in the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "datapy_kafka/base/error.h"
#include "datapy_kafka/kafka/dev_broker.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::atomic<bool> kGoOn{false};

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(CheckConnection, FindsBrokersAndTopics) {
  MockKafka kafka(3);
  kafka.CreateTopic("b", 1);
  kafka.CreateTopic("a", 1);
  const auto info = CheckConnection(kafka.Connection(), absl::Seconds(10), kGoOn);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->broker_count, 3);
  EXPECT_THAT(info->topics, ElementsAre("a", "b"));
  EXPECT_FALSE(info->cluster_id.empty());
  EXPECT_EQ(info->librdkafka_version, LibraryVersion());
}

TEST(CheckConnection, SaysThatNobodyListens) {
  config::ConnectionOptions connection;
  connection.bootstrap_servers = "127.0.0.1:1";
  const auto info = CheckConnection(connection, absl::Seconds(30), kGoOn);
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(GetErrorInfo(info.status()).reason, ErrorReason::kBrokerUnreachable) << info.status();
  EXPECT_EQ(GetErrorInfo(info.status()).metadata["broker"], "127.0.0.1:1");
  EXPECT_THAT(MessageOf(info.status()), HasSubstr("refused"));
}

TEST(CheckConnection, SaysThatTheNameIsUnknown) {
  config::ConnectionOptions connection;
  connection.bootstrap_servers = "no-such-host.invalid:9092";
  const auto info = CheckConnection(connection, absl::Seconds(30), kGoOn);
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(GetErrorInfo(info.status()).reason, ErrorReason::kDnsFailure) << info.status();
  EXPECT_THAT(MessageOf(info.status()), HasSubstr("no-such-host.invalid"));
}

TEST(CheckConnection, SaysThatAPlaintextPortWasGivenForTls) {
  MockKafka kafka;
  config::ConnectionOptions connection = kafka.Connection();
  connection.security_protocol = config::SecurityProtocol::kSsl;
  const auto info = CheckConnection(connection, absl::Seconds(10), kGoOn);
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(GetErrorInfo(info.status()).reason, ErrorReason::kTlsHandshakeFailed) << info.status();
}

TEST(Configuration, NamesEveryPropertyThatIsRefused) {
  config::ConnectionOptions connection;
  connection.bootstrap_servers = "127.0.0.1:1";
  const config::Properties own = {{"no.such.property", "1"}, {"linger.ms", "few"}, {"client.rack", "r1"}};
  const auto made = MakeProducer(connection, own, 1 << 20);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(GetErrorInfo(made.status()).reason, ErrorReason::kPropertyRefused);
  EXPECT_THAT(MessageOf(made.status()),
              AllOf(HasSubstr("no.such.property"), HasSubstr("linger.ms"), Not(HasSubstr("client.rack"))));
}

TEST(Configuration, ACertificateThatIsNoneIsSaidToBe) {
  config::ConnectionOptions connection;
  connection.bootstrap_servers = "127.0.0.1:1";
  connection.security_protocol = config::SecurityProtocol::kSsl;
  connection.ssl_ca_pem = "canary-not-a-certificate";
  const auto made = MakeProducer(connection, {}, 1 << 20);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(GetErrorInfo(made.status()).reason, ErrorReason::kTlsMaterialInvalid) << made.status();
  EXPECT_THAT(MessageOf(made.status()), Not(HasSubstr("canary")));
}

TEST(CheckConnection, EndsWhenTheDaemonStops) {
  // Takes connections and never answers.
  MockKafka kafka;
  rd_kafka_mock_broker_set_rtt(kafka.cluster(), 1, 60'000);
  std::atomic<bool> stopping{false};
  std::thread daemon([&] {
    absl::SleepFor(absl::Milliseconds(300));
    stopping = true;
  });
  const auto info = CheckConnection(kafka.Connection(), absl::Minutes(2), stopping);
  daemon.join();
  EXPECT_EQ(GetErrorInfo(info.status()).reason, ErrorReason::kShuttingDown) << info.status();
}

TEST(DevBroker, ServesProducersAndConsumers) {
  auto broker = DevBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  config::ConnectionOptions connection;
  connection.bootstrap_servers = (*broker)->bootstrap_servers();
  auto producer = MakeProducer(connection, {}, 1 << 20);
  ASSERT_TRUE(producer.ok());
  ports::ProduceBatch batch;
  batch.topic = "appears";
  ports::OutgoingRecord record;
  record.value = "v";
  batch.records.push_back(record);
  EXPECT_EQ(ProduceAndWait(*producer->sink, std::move(batch)).succeeded, 1u);
  const auto info = CheckConnection(connection, absl::Seconds(5), kGoOn);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->topics, ElementsAre("appears"));
}

}  // namespace
}  // namespace datapy_kafka::kafka
