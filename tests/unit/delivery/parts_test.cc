// The small classes of the delivery core, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/commit_planner.h"
#include "delivery/inflight_window.h"
#include "delivery/open_deliveries.h"
#include "delivery/partition_tracker.h"
#include "delivery/retry_policy.h"

namespace datapy_kafka::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(InflightWindowTest, CountsRecordsAndBytes) {
  InflightWindow window(2, 10);
  window.Take(6);
  EXPECT_TRUE(window.Admits(4));
  EXPECT_FALSE(window.Admits(5));
  window.Take(4);
  EXPECT_FALSE(window.Admits(0));
  EXPECT_EQ(window.free_records(), 0u);
  window.Release(6);
  EXPECT_EQ(window.free_bytes(), 6u);
}

TEST(InflightWindowTest, AdmitsOneRecordOfAnySize) {
  InflightWindow window(2, 10);
  EXPECT_TRUE(window.Admits(1'000'000));
  window.Take(1'000'000);
  EXPECT_FALSE(window.Admits(0));
  EXPECT_EQ(window.free_bytes(), 0u);
}

TEST(InflightWindowTest, ALimitOfZeroStillAdmitsOne) {
  InflightWindow window(0, 0);
  EXPECT_EQ(window.free_records(), 1u);
  EXPECT_EQ(window.free_bytes(), 1u);
  EXPECT_TRUE(window.Admits(5));
}

TEST(RetryPolicyTest, TheLastBackoffRepeats) {
  const RetryPolicy policy(FailureMode::kRetry, 3, {absl::Milliseconds(100), absl::Milliseconds(200)});
  EXPECT_EQ(policy.Decide(1).backoff, absl::Milliseconds(100));
  EXPECT_EQ(policy.Decide(2).backoff, absl::Milliseconds(200));
  EXPECT_EQ(policy.Decide(3).backoff, absl::Milliseconds(200));
  EXPECT_EQ(policy.Decide(3).outcome, FailureOutcome::kRetrying);
  EXPECT_EQ(policy.Decide(4).outcome, FailureOutcome::kSkipped);
}

TEST(RetryPolicyTest, OtherModes) {
  EXPECT_EQ(RetryPolicy(FailureMode::kContinue, 3, {}).Decide(1).outcome, FailureOutcome::kSkipped);
  EXPECT_EQ(RetryPolicy(FailureMode::kStop, 3, {}).Decide(1).outcome, FailureOutcome::kStopping);
  EXPECT_EQ(RetryPolicy(FailureMode::kRetry, 0, {}).Decide(1).outcome, FailureOutcome::kSkipped);
  EXPECT_FALSE(RetryPolicy(FailureMode::kRetry, 0, {}).redelivers());
}

TEST(PartitionTrackerTest, StopsInFrontOfTheFirstUnresolved) {
  PartitionTracker tracker;
  tracker.Deliver(Offset(1000), 3);
  const int32_t previous = tracker.Deliver(Offset(1007), 4);
  EXPECT_EQ(previous, 3);
  EXPECT_EQ(tracker.Committable(Watermark{Offset(1007), previous}, false), (Watermark{Offset(1007), 3}));
  EXPECT_EQ(tracker.Committable(std::nullopt, false), (Watermark{Offset(1008), 4}));
}

TEST(PartitionTrackerTest, NothingIsCommittableBeforeTheFirstIsResolved) {
  PartitionTracker tracker;
  EXPECT_EQ(tracker.Committable(std::nullopt, false), Watermark());
  tracker.Deliver(Offset(5), 1);
  EXPECT_EQ(tracker.Committable(Watermark{Offset(5), -1}, false), Watermark());
}

TEST(PartitionTrackerTest, ALeftRecordIsNeverPassed) {
  PartitionTracker tracker;
  tracker.Deliver(Offset(1), 1);
  tracker.Deliver(Offset(2), 1);
  tracker.Deliver(Offset(3), 1);
  tracker.Leave({Offset(3), 1});
  tracker.Leave({Offset(2), 1});
  tracker.ReadUpTo(Offset(9));
  EXPECT_EQ(tracker.Committable(std::nullopt, false).offset, Offset(2));
}

TEST(PartitionTrackerTest, APositionCountsWhenNothingIsHeldBack) {
  PartitionTracker tracker;
  tracker.Deliver(Offset(1), 1);
  tracker.ReadUpTo(Offset(9));
  EXPECT_EQ(tracker.Committable(std::nullopt, true).offset, Offset(2));
  EXPECT_EQ(tracker.Committable(std::nullopt, false).offset, Offset(9));
  tracker.ForgetPosition();
  EXPECT_EQ(tracker.Committable(std::nullopt, false).offset, Offset(2));
}

TEST(PartitionTrackerTest, WhatWasCommittableOnceStillIs) {
  PartitionTracker tracker;
  tracker.ReadUpTo(Offset(25));
  const Watermark initial = tracker.Committable(std::nullopt, false);
  EXPECT_TRUE(tracker.IsNew(initial));
  tracker.Offered(initial);
  tracker.Deliver(Offset(25), 1);
  const Watermark mark = tracker.Committable(Watermark{Offset(25), -1}, false);
  EXPECT_EQ(mark.offset, Offset(25));
  EXPECT_FALSE(tracker.IsNew(mark));
  EXPECT_TRUE(tracker.IsUnconfirmed(mark));
  tracker.Confirmed(Offset(25));
  EXPECT_FALSE(tracker.IsUnconfirmed(mark));
}

std::vector<uint64_t> Visit(OpenDeliveries& opens, uint64_t first, uint64_t last) {
  std::vector<uint64_t> ids;
  opens.VisitRange(DeliveryId(first), DeliveryId(last),
                   [&](OpenRef ref) { ids.push_back(opens.at(ref).id.value()); });
  return ids;
}

TEST(OpenDeliveriesTest, FindsAndVisitsAcrossChunks) {
  OpenDeliveries opens;
  OpenList list;
  for (int i = 1; i <= 200; ++i) opens.Open(list, {});
  for (uint64_t id = 2; id <= 198; ++id) opens.Close(list, opens.Find(DeliveryId(id)));
  EXPECT_EQ(opens.Find(DeliveryId(5)), kNoOpen);
  EXPECT_EQ(opens.Find(DeliveryId(0)), kNoOpen);
  EXPECT_EQ(opens.Find(DeliveryId(201)), kNoOpen);
  EXPECT_THAT(Visit(opens, 0, ~uint64_t{0}), ElementsAre(1, 199, 200));
  EXPECT_THAT(Visit(opens, 199, 199), ElementsAre(199));
  EXPECT_THAT(Visit(opens, 2, 198), IsEmpty());
  EXPECT_THAT(Visit(opens, 9, 3), IsEmpty());
  EXPECT_EQ(opens.at(opens.Oldest()).id, DeliveryId(1));
  EXPECT_EQ(opens.size(), 3u);
}

TEST(OpenDeliveriesTest, LinksStayInOrder) {
  OpenDeliveries opens;
  OpenList list;
  const OpenRef first = opens.Open(list, {}), second = opens.Open(list, {}), third = opens.Open(list, {});
  opens.Close(list, second);
  EXPECT_EQ(opens.at(first).newer, third);
  EXPECT_EQ(opens.at(third).older, first);
  opens.Close(list, first);
  EXPECT_EQ(list.oldest, third);
  opens.Close(list, third);
  EXPECT_EQ(list.oldest, kNoOpen);
  EXPECT_EQ(list.newest, kNoOpen);
  EXPECT_EQ(list.size, 0u);
}

const TopicPartition kOrders{"orders", 0};

TEST(CommitPlannerTest, OneOnTheWireTheRestMerges) {
  CommitPlanner planner;
  planner.Offer({kOrders, Offset(5)}, Epoch(1));
  EXPECT_THAT(planner.Take(), ElementsAre(PartitionOffset{kOrders, Offset(5)}));
  planner.Offer({kOrders, Offset(6)}, Epoch(1));
  planner.Offer({kOrders, Offset(7)}, Epoch(1));
  EXPECT_THAT(planner.Take(), IsEmpty());
  const auto confirmed = planner.Settle({{{kOrders, Offset(5)}, CommitVerdict::kDone}});
  ASSERT_EQ(confirmed.size(), 1u);
  EXPECT_EQ(confirmed[0].epoch, Epoch(1));
  EXPECT_THAT(planner.Take(), ElementsAre(PartitionOffset{kOrders, Offset(7)}));
}

TEST(CommitPlannerTest, ARetryNeverReplacesWhatIsNewer) {
  CommitPlanner planner;
  planner.Offer({kOrders, Offset(5)}, Epoch(1));
  planner.Take();
  planner.Offer({kOrders, Offset(8)}, Epoch(1));
  planner.Settle({{{kOrders, Offset(5)}, CommitVerdict::kRetry}});
  EXPECT_THAT(planner.Take(), ElementsAre(PartitionOffset{kOrders, Offset(8)}));
}

TEST(CommitPlannerTest, AnOutcomeThatIsMissingIsTriedAgain) {
  CommitPlanner planner;
  planner.Offer({kOrders, Offset(5)}, Epoch(1));
  planner.Take();
  planner.Settle({});
  EXPECT_THAT(planner.Take(), ElementsAre(PartitionOffset{kOrders, Offset(5)}));
}

TEST(CommitPlannerTest, WhatWasGivenUpIsNotTriedAgain) {
  CommitPlanner planner;
  planner.Offer({kOrders, Offset(5)}, Epoch(1));
  planner.Take();
  planner.Drop(kOrders);
  planner.Settle({{{kOrders, Offset(5)}, CommitVerdict::kRetry}});
  EXPECT_THAT(planner.Take(), IsEmpty());
  EXPECT_THAT(planner.last_commits(), IsEmpty());
}

}  // namespace
}  // namespace datapy_kafka::delivery
