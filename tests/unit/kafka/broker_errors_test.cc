// Errors that a broker answers with, injected into the mock cluster: what the
// consumer and the producer make of each.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "datapy_kafka/base/error.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

// Numbers of the Kafka protocol.
constexpr int16_t kProduce = 0;
constexpr int16_t kFetch = 1;
constexpr int16_t kMetadata = 3;
constexpr int16_t kOffsetCommit = 8;
constexpr int16_t kOffsetFetch = 9;
constexpr int16_t kFindCoordinator = 10;
constexpr int16_t kJoinGroup = 11;
constexpr int16_t kHeartbeat = 12;
constexpr int16_t kSyncGroup = 14;

struct Case {
  int16_t api;
  const char* api_name;
  rd_kafka_resp_err_t error;
};

std::string Name(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.api_name) + "_" + rd_kafka_err2name(info.param.error);
}

// An error that passes: every record still arrives, once and in order.
class ConsumerGoesOn : public testing::TestWithParam<Case> {};

TEST_P(ConsumerGoesOn, EveryRecordArrivesInOrder) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  kafka.Fill("t", 0, 20);
  kafka.Inject(GetParam().api, {GetParam().error, GetParam().error});
  Member member(kafka.Session("g", {"t"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.total >= 20; }, absl::Seconds(60)));
  kafka.Fill("t", 0, 20, 20);
  ASSERT_TRUE(member.RunUntil([&] { return member.records.begin()->second.back()->offset.value() == 39; },
                              absl::Seconds(60)));
  const auto& records = member.records.begin()->second;
  // A group that is joined again may begin at the start: nothing was committed.
  for (size_t i = 1; i < records.size(); ++i) {
    const int64_t step = records[i]->offset.value() - records[i - 1]->offset.value();
    EXPECT_TRUE(step == 1 || records[i]->offset.value() == 0) << "a step of " << step << " at " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ConsumerGoesOn,
                         testing::ValuesIn(std::vector<Case>{
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_UNKNOWN},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR},
                             {kFetch, "Fetch", RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE},
                             {kMetadata, "Metadata", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE},
                             {kMetadata, "Metadata", RD_KAFKA_RESP_ERR_UNKNOWN},
                             {kFindCoordinator, "FindCoordinator", RD_KAFKA_RESP_ERR_UNKNOWN},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT},
                             {kFindCoordinator, "FindCoordinator", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
                             {kFindCoordinator, "FindCoordinator",
                              RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
                             {kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
                             {kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
                             {kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
                             {kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
                             {kSyncGroup, "SyncGroup", RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
                             {kSyncGroup, "SyncGroup", RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS},
                             {kSyncGroup, "SyncGroup", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
                             {kSyncGroup, "SyncGroup", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID},
                             {kHeartbeat, "Heartbeat", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION},
                             {kOffsetFetch, "OffsetFetch", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
                             {kOffsetFetch, "OffsetFetch", RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
                             {kOffsetFetch, "OffsetFetch", RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
                             {kOffsetFetch, "OffsetFetch", RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
                         }),
                         Name);

// librdkafka gives a cooperative member's partitions up one by one.
TEST(LookupFailed, CooperativeMembersLookUpAgainWhereToBegin) {
  MockKafka kafka;
  kafka.CreateTopic("t", 2);
  for (int partition = 0; partition < 2; ++partition) kafka.Fill("t", partition, 20);
  kafka.Inject(kOffsetFetch, {RD_KAFKA_RESP_ERR_NOT_COORDINATOR});
  config::SessionOptions session = kafka.Session("g", {"t"});
  session.properties["partition.assignment.strategy"] = "cooperative-sticky";
  Member member(session);
  EXPECT_TRUE(member.RunUntil([&] { return member.total == 40; }, absl::Seconds(60)));
  EXPECT_EQ(member.assignments, 1);
}

// An error that somebody has to mend: it is reported with its reason.
struct Report {
  Case broker;
  ErrorReason reason;
};

class ConsumerReports : public testing::TestWithParam<Report> {};

TEST_P(ConsumerReports, TheReason) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  kafka.Fill("t", 0, 5);
  const rd_kafka_resp_err_t error = GetParam().broker.error;
  kafka.Inject(GetParam().broker.api, {error, error, error, error, error, error, error, error});
  Member member(kafka.Session("g", {"t"}));
  ASSERT_TRUE(member.RunUntil([&] { return !member.troubles.empty(); }, absl::Seconds(30)));
  EXPECT_EQ(GetErrorInfo(member.troubles.front().status).reason, GetParam().reason)
      << member.troubles.front().status;
  EXPECT_FALSE(member.troubles.front().status.message().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, ConsumerReports,
    testing::ValuesIn(std::vector<Report>{
        {{kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
         ErrorReason::kAuthorizationFailed},
        {{kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL}, ErrorReason::kKafka},
        {{kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT}, ErrorReason::kKafka},
        {{kJoinGroup, "JoinGroup", RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED}, ErrorReason::kKafka},
        {{kFindCoordinator, "FindCoordinator", RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
         ErrorReason::kAuthorizationFailed},
        {{kFetch, "Fetch", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED}, ErrorReason::kAuthorizationFailed},
        {{kOffsetFetch, "OffsetFetch", RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED},
         ErrorReason::kAuthorizationFailed},
    }),
    [](const testing::TestParamInfo<Report>& info) {
      return Name(testing::TestParamInfo<Case>(info.param.broker, info.index));
    });

// What an error on OffsetCommit means for the position.
enum class Verdict { kPasses, kRetriable, kStale, kFailed };
struct Commit {
  rd_kafka_resp_err_t error;
  Verdict verdict;
};

class Commits : public testing::TestWithParam<Commit> {};

TEST_P(Commits, EndAsTheErrorSays) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  kafka.Fill("t", 0, 5);
  Member member(kafka.Session("g", {"t"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.total == 5; }));
  kafka.Inject(kOffsetCommit, {GetParam().error});
  const auto outcomes =
      member.source().CommitSync({{TopicPartition{"t", 0}, Offset(5), kNoLeaderEpoch}}, absl::Seconds(10));
  ASSERT_EQ(outcomes.size(), 1U);
  const ports::CommitOutcome& outcome = outcomes.front();
  EXPECT_EQ(outcome.stale, GetParam().verdict == Verdict::kStale) << outcome.status;
  if (GetParam().verdict == Verdict::kPasses) {
    EXPECT_TRUE(outcome.status.ok() || outcome.retriable) << outcome.status;
    return;
  }
  EXPECT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.retriable, GetParam().verdict == Verdict::kRetriable) << outcome.status;
}

INSTANTIATE_TEST_SUITE_P(All, Commits,
                         testing::ValuesIn(std::vector<Commit>{
                             // librdkafka asks again by itself (2.0), or leaves that to the engine (2.8).
                             {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, Verdict::kPasses},
                             {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, Verdict::kPasses},
                             {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, Verdict::kPasses},
                             {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, Verdict::kPasses},
                             {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Verdict::kPasses},
                             {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, Verdict::kRetriable},
                             {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, Verdict::kStale},
                             {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, Verdict::kStale},
                             {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, Verdict::kFailed},
                             {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Verdict::kFailed},
                             {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, Verdict::kFailed},
                             {RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, Verdict::kFailed},
                         }),
                         [](const testing::TestParamInfo<Commit>& info) {
                           return rd_kafka_err2name(info.param.error);
                         });

ports::ProduceBatch OneRecord() {
  auto value = std::make_shared<std::string>("v");
  ports::ProduceBatch batch;
  batch.topic = "t";
  ports::OutgoingRecord record;
  record.value = *value;
  record.partition = 0;
  batch.records.push_back(record);
  batch.owner = value;
  return batch;
}

// An error that passes: the record is written all the same.
class ProducerGoesOn : public testing::TestWithParam<Case> {};

TEST_P(ProducerGoesOn, TheRecordIsWritten) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  auto producer = MakeProducer(kafka.Connection(), {}, 1 << 20);
  ASSERT_TRUE(producer.ok()) << producer.status();
  kafka.Inject(kProduce, {GetParam().error, GetParam().error});
  const ports::ProduceResult result = ProduceAndWait(*producer->sink, OneRecord());
  EXPECT_EQ(result.succeeded, 1U) << (result.failures.empty() ? "" : result.failures[0].message);
}

INSTANTIATE_TEST_SUITE_P(All, ProducerGoesOn,
                         testing::ValuesIn(std::vector<Case>{
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND},
                         }),
                         Name);

// An error that stays: the record is reported as failed, with a sentence.
class ProducerReports : public testing::TestWithParam<Case> {};

TEST_P(ProducerReports, TheRecordHasFailed) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  auto producer = MakeProducer(kafka.Connection(), {}, 1 << 20);
  ASSERT_TRUE(producer.ok()) << producer.status();
  kafka.Inject(kProduce, {GetParam().error});
  const ports::ProduceResult result = ProduceAndWait(*producer->sink, OneRecord());
  EXPECT_EQ(result.succeeded, 0U);
  ASSERT_EQ(result.failures.size(), 1U);
  EXPECT_FALSE(result.failures[0].message.empty());
}

INSTANTIATE_TEST_SUITE_P(All, ProducerReports,
                         testing::ValuesIn(std::vector<Case>{
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_INVALID_RECORD},
                             {kProduce, "Produce", RD_KAFKA_RESP_ERR_POLICY_VIOLATION},
                         }),
                         Name);

}  // namespace
}  // namespace datapy_kafka::kafka
