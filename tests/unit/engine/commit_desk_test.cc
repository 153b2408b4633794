#include "engine/commit_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapy_kafka/base/error.h"

namespace datapy_kafka::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TopicPartition kP0{"t", 0};
const TopicPartition kP1{"t", 1};
const absl::Time kStart = absl::FromUnixSeconds(1000);

ports::CommitOutcome Done(const TopicPartition& tp, int64_t offset) {
  return {{tp, Offset(offset)}, absl::OkStatus(), false, false};
}
ports::CommitOutcome Failed(const TopicPartition& tp, bool retriable, bool stale) {
  return {{tp, Offset(1)}, ErrorBuilder(ErrorReason::kKafka).Build("no"), retriable, stale};
}

class CommitDeskTest : public ::testing::Test {
 protected:
  std::optional<delivery::CommitSettled> Answer(std::vector<ports::CommitOutcome> outcomes, absl::Time now) {
    return desk_.Answered(outcomes, now, &latency_, &failure_);
  }
  CommitDesk desk_{absl::Seconds(1)};
  ports::LatencyHistogram latency_;
  absl::Status failure_;
};

TEST_F(CommitDeskTest, SuccessIsAnsweredAndMeasured) {
  desk_.Sent(kStart);
  const auto event = Answer({Done(kP0, 5)}, kStart + absl::Milliseconds(30));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->outcomes[0].verdict, delivery::CommitVerdict::kDone);
  EXPECT_DOUBLE_EQ(latency_.sum_seconds, 0.03);
  EXPECT_TRUE(failure_.ok());
  EXPECT_EQ(desk_.confirmed(), 1u);
}

TEST_F(CommitDeskTest, AQuickAnswerWaitsSoThatCommitsKeepAPace) {
  desk_.Sent(kStart);
  EXPECT_FALSE(Answer({Done(kP0, 5)}, kStart + absl::Milliseconds(1)));
  EXPECT_EQ(desk_.confirmed(), 1u) << "it is known at once";
  EXPECT_THAT(desk_.last_commits(), ElementsAre(PartitionOffset{kP0, Offset(5)}));
  EXPECT_DOUBLE_EQ(latency_.sum_seconds, 0.001);
  EXPECT_FALSE(desk_.Due(kStart + absl::Milliseconds(9)));
  const auto event = desk_.Due(kStart + absl::Milliseconds(10));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->outcomes[0].verdict, delivery::CommitVerdict::kDone);
  EXPECT_FALSE(desk_.Due(kStart + absl::Seconds(1))) << "once";
}

TEST_F(CommitDeskTest, AFinalFailureDoesNotWait) {
  desk_.Sent(kStart);
  EXPECT_TRUE(Answer({Failed(kP1, false, false)}, kStart));
  EXPECT_FALSE(failure_.ok());
}

TEST_F(CommitDeskTest, ARetriableOutcomeWaitsLongerEachTime) {
  EXPECT_FALSE(Answer({Failed(kP0, true, false)}, kStart));
  EXPECT_FALSE(desk_.Due(kStart + absl::Milliseconds(49)));
  const auto first = desk_.Due(kStart + absl::Milliseconds(50));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->outcomes[0].verdict, delivery::CommitVerdict::kRetry);
  EXPECT_FALSE(Answer({Failed(kP0, true, false)}, kStart));
  EXPECT_EQ(desk_.NextDeadline(), kStart + absl::Milliseconds(100));
  ASSERT_TRUE(desk_.Due(kStart + absl::Milliseconds(100)));
  EXPECT_TRUE(Answer({Done(kP0, 1)}, kStart));
  desk_.TakeReport(kStart, /*final=*/true);
  EXPECT_FALSE(Answer({Failed(kP0, true, false)}, kStart));
  EXPECT_EQ(desk_.NextDeadline(), kStart + absl::Milliseconds(50)) << "success ends the growth";
}

TEST_F(CommitDeskTest, ARefusalThatLastsIsToldOnceAMinute) {
  Answer({Failed(kP0, true, false)}, kStart);
  EXPECT_TRUE(desk_.TakeDelay(kStart + absl::Seconds(9)).ok());
  Answer({Failed(kP0, true, false)}, kStart + absl::Seconds(10));
  EXPECT_FALSE(desk_.TakeDelay(kStart + absl::Seconds(10)).ok());
  EXPECT_TRUE(desk_.TakeDelay(kStart + absl::Seconds(69)).ok());
  EXPECT_FALSE(desk_.TakeDelay(kStart + absl::Seconds(70)).ok());
  Answer({Done(kP0, 1)}, kStart + absl::Seconds(71));
  EXPECT_TRUE(desk_.TakeDelay(kStart + absl::Minutes(9)).ok());
}

TEST_F(CommitDeskTest, AFinalFailureIsTold) {
  const auto event = Answer({Done(kP0, 1), Failed(kP1, false, false)}, kStart);
  EXPECT_EQ(event->outcomes[1].verdict, delivery::CommitVerdict::kFailed);
  EXPECT_FALSE(failure_.ok());
}

TEST_F(CommitDeskTest, AStaleOutcomeIsNoFailure) {
  const auto event = Answer({Failed(kP0, false, true)}, kStart);
  EXPECT_EQ(event->outcomes[0].verdict, delivery::CommitVerdict::kStale);
  EXPECT_TRUE(failure_.ok());
}

TEST_F(CommitDeskTest, ReportsTheLatestOfEachPartitionOnceAnInterval) {
  Answer({Done(kP0, 1), Done(kP1, 1)}, kStart);
  Answer({Done(kP0, 2)}, kStart);
  EXPECT_THAT(desk_.TakeReport(kStart, false),
              ElementsAre(PartitionOffset{kP0, Offset(2)}, PartitionOffset{kP1, Offset(1)}));
  Answer({Done(kP0, 3)}, kStart);
  EXPECT_THAT(desk_.TakeReport(kStart + absl::Milliseconds(999), false), IsEmpty());
  EXPECT_EQ(desk_.NextDeadline(), kStart + absl::Seconds(1));
  EXPECT_THAT(desk_.TakeReport(kStart, true), ElementsAre(PartitionOffset{kP0, Offset(3)}))
      << "the last is told";
  EXPECT_EQ(desk_.NextDeadline(), absl::InfiniteFuture());
  EXPECT_THAT(desk_.last_commits(),
              ElementsAre(PartitionOffset{kP0, Offset(3)}, PartitionOffset{kP1, Offset(1)}));
}

}  // namespace
}  // namespace datapy_kafka::engine
