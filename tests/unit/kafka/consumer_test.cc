// What a member of a group reads, commits and gives up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

using ::testing::HasSubstr;

constexpr int16_t kOffsetCommit = 8;

TEST(Consumer, ReadsCommitsAndGoesOnAfterARestart) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 2);
  kafka.Fill("orders", 0, 100);
  kafka.Fill("orders", 1, 50);
  {
    Member member(kafka.Session("group", {"orders"}));
    ASSERT_TRUE(member.RunUntil([&] { return member.total == 150; }));
    EXPECT_EQ(member.partitions(), 2u);
    for (const auto& [tp, list] : member.records) {
      for (size_t i = 0; i < list.size(); ++i) {
        EXPECT_EQ(list[i]->offset, Offset(static_cast<int64_t>(i)));
        EXPECT_EQ(*list[i]->value, absl::StrCat(i));
        EXPECT_FALSE(list[i]->key.has_value());
      }
    }
    member.CommitAll();
    ASSERT_EQ(member.commits.size(), 1u);
    EXPECT_EQ(member.commits[0].outcomes.size(), 2u);
    for (const auto& outcome : member.commits[0].outcomes) EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    for (const auto& one : member.source().Progress()) {
      EXPECT_EQ(one.position, Offset(one.tp.partition == 0 ? 100 : 50));
      EXPECT_EQ(one.high_watermark, one.position);
    }
    EXPECT_TRUE(member.Close());
  }
  kafka.Fill("orders", 0, 5, 100);
  Member again(kafka.Session("group", {"orders"}));
  ASSERT_TRUE(again.RunUntil([&] { return again.total >= 5; }));
  EXPECT_EQ(again.total, 5u);
  EXPECT_EQ(again.records.begin()->second.front()->offset, Offset(100));
}

TEST(Consumer, WhatIsNotReadableStaysAndTheGroupLives) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 2);
  Member member(kafka.Session("group", {"orders"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.partitions() == 2; }));
  const TopicPartition held{"orders", 0};
  member.source().SetReadable(held, false);
  kafka.Fill("orders", 0, 200);
  kafka.Fill("orders", 1, 200);
  ASSERT_TRUE(member.RunUntil([&] { return member.total == 200; }));
  // Longer than the session time-out: heartbeats go on, nothing of it comes.
  EXPECT_FALSE(
      member.RunUntil([&] { return member.total > 200 || !member.revoked.empty(); }, absl::Seconds(7)));
  member.source().SetReadable(held, true);
  ASSERT_TRUE(member.RunUntil([&] { return member.total == 400; }));
  for (size_t i = 0; i < 200; ++i) EXPECT_EQ(member.records[held][i]->offset, Offset(static_cast<int64_t>(i)));
}

TEST(Consumer, PollKeepsItsLimitsAndIsFair) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 2);
  kafka.Fill("orders", 0, 3000);
  kafka.Fill("orders", 1, 3000);
  Member member(kafka.Session("group", {"orders"}));
  member.max_records = 0;
  ASSERT_TRUE(member.RunUntil([&] { return member.partitions() == 2; })) << "group events need no room";
  // Both are fetched, each in one piece.
  ASSERT_TRUE(member.RunUntil([&] {
    size_t fetched = 0;
    for (const auto& one : member.source().Progress()) fetched += one.high_watermark == Offset(3000) ? 1 : 0;
    return fetched == 2;
  }));
  absl::SleepFor(absl::Milliseconds(100));  // from the answer to the queue
  EXPECT_EQ(member.total, 0u);
  const auto poll = [&](size_t records) {
    std::map<int32_t, size_t> counts;
    for (auto& event : member.source().Poll(records, 1 << 20)) {
      auto& polled = std::get<ports::RecordsPolled>(event);
      counts[polled.tp.partition] += polled.records.size();
    }
    return counts;
  };
  // A turn has 1,024 records, and goes on with the next poll when there is no
  // room for all of it: else the one behind it would never have a whole one.
  const std::map<int32_t, size_t> begun = poll(100);
  ASSERT_EQ(begun.size(), 1u);
  const int32_t first = begun.begin()->first, second = 1 - first;
  EXPECT_EQ(poll(1500), (std::map<int32_t, size_t>{{first, 924}, {second, 576}}));
  EXPECT_EQ(poll(1500), (std::map<int32_t, size_t>{{second, 448}, {first, 1024}}));
  EXPECT_EQ(poll(2048), (std::map<int32_t, size_t>{{second, 1024}, {first, 952}}));
  // The rest is its own who has some.
  EXPECT_EQ(poll(500), (std::map<int32_t, size_t>{{second, 500}}));
  size_t bytes = 0;
  for (auto& event : member.source().Poll(100, 10)) {
    for (auto& record : std::get<ports::RecordsPolled>(event).records) bytes += record->SizeBytes();
  }
  EXPECT_GE(bytes, 10u);
  EXPECT_LE(bytes, 12u);
}

TEST(Consumer, LatestPinsWhereItBegins) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  kafka.Fill("orders", 0, 7);
  config::SessionOptions session = kafka.Session("group", {"orders"});
  session.auto_offset_reset = config::OffsetReset::kLatest;
  {
    Member member(session);
    ASSERT_TRUE(member.RunUntil([&] { return member.partitions() == 1; }));
    const TopicPartition tp{"orders", 0};
    EXPECT_EQ(member.begins[tp], Offset(7));
    const auto outcomes =
        member.source().CommitSync({{tp, member.begins[tp], kNoLeaderEpoch}}, absl::Seconds(5));
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_TRUE(outcomes[0].status.ok()) << outcomes[0].status;
  }
  kafka.Fill("orders", 0, 3, 7);
  Member again(session);
  ASSERT_TRUE(again.RunUntil([&] { return again.total == 3; })) << "what came meanwhile is not skipped";
  EXPECT_EQ(again.begins.begin()->second, kNoOffset);
}

TEST(Consumer, ACommitThatIsTriedAgainDoesNotUndoALaterOne) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  kafka.Fill("orders", 0, 5);
  const config::SessionOptions session = kafka.Session("group", {"orders"});
  const TopicPartition tp{"orders", 0};
  {
    Member member(session);
    ASSERT_TRUE(member.RunUntil([&] { return member.total == 5; }));
    kafka.Inject(kOffsetCommit, {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS});
    member.source().CommitAsync({{tp, Offset(3), kNoLeaderEpoch}});
    const auto outcomes = member.source().CommitSync({{tp, Offset(5), kNoLeaderEpoch}}, absl::Seconds(10));
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_TRUE(outcomes[0].status.ok()) << outcomes[0].status;
    EXPECT_TRUE(member.RunUntil([&] { return member.commits.size() == 1; }));
    // Longer than librdkafka waits before it tries again.
    member.RunUntil([] { return false; }, absl::Seconds(1));
  }
  kafka.Fill("orders", 0, 1, 5);
  Member again(session);
  ASSERT_TRUE(again.RunUntil([&] { return again.total > 0; }));
  EXPECT_EQ(again.records[tp].front()->offset, Offset(5));
}

TEST(Consumer, NoneWithoutAnOffsetIsFatal) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  kafka.Fill("orders", 0, 1);
  config::SessionOptions session = kafka.Session("group", {"orders"});
  session.auto_offset_reset = config::OffsetReset::kNone;
  Member member(session);
  ASSERT_TRUE(member.RunUntil([&] { return !member.troubles.empty(); }));
  EXPECT_TRUE(member.troubles[0].fatal);
  EXPECT_EQ(GetErrorInfo(member.troubles[0].status).reason, ErrorReason::kNoCommittedOffset);
  EXPECT_THAT(std::string(member.troubles[0].status.message()), HasSubstr("orders"));
}

TEST(Consumer, AnUnknownTopicIsToldOnceAndStartsWhenItAppears) {
  MockKafka kafka;
  config::SessionOptions session = kafka.Session("group", {"later"});
  session.properties["topic.metadata.refresh.interval.ms"] = "500";
  rd_kafka_mock_topic_set_error(kafka.cluster(), "later", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Member member(session);
  ASSERT_TRUE(member.RunUntil([&] { return !member.troubles.empty(); }));
  EXPECT_FALSE(member.troubles[0].fatal);
  EXPECT_EQ(GetErrorInfo(member.troubles[0].status).reason, ErrorReason::kUnknownTopic);
  EXPECT_EQ(GetErrorInfo(member.troubles[0].status).metadata["topic"], "later");
  EXPECT_FALSE(member.RunUntil([&] { return member.troubles.size() > 1; }, absl::Seconds(2)));
  rd_kafka_mock_topic_set_error(kafka.cluster(), "later", RD_KAFKA_RESP_ERR_NO_ERROR);
  // The mock cluster lets a member join again in steps of 5 s, of which it takes
  // one to three, and more on a busy machine.
  EXPECT_TRUE(member.RunUntil([&] { return member.partitions() > 0; }, absl::Seconds(60)));
}

TEST(Consumer, CommitErrorsAreToldApart) {
  struct Row {
    rd_kafka_resp_err_t code;
    bool retriable;
    bool stale;
  };
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  kafka.Fill("orders", 0, 3);
  Member member(kafka.Session("group", {"orders"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.total == 3; }));
  const std::vector<PartitionOffset> position = {{TopicPartition{"orders", 0}, Offset(3), kNoLeaderEpoch}};
  for (const Row& row : {Row{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, true, false},
                         Row{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, false, false},
                         Row{RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, false, false},
                         Row{RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, false, true}}) {
    // More often than librdkafka tries again by itself.
    kafka.Inject(kOffsetCommit, {row.code, row.code, row.code, row.code, row.code, row.code});
    const auto outcomes = member.source().CommitSync(position, absl::Seconds(3));
    rd_kafka_mock_clear_request_errors(kafka.cluster(), kOffsetCommit);
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_FALSE(outcomes[0].status.ok());
    EXPECT_EQ(outcomes[0].retriable, row.retriable) << outcomes[0].status;
    EXPECT_EQ(outcomes[0].stale, row.stale) << outcomes[0].status;
    EXPECT_THAT(std::string(outcomes[0].status.message()), HasSubstr("orders[0]"));
  }
}

}  // namespace
}  // namespace datapy_kafka::kafka
