// Partitions that move between members.
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

// Two members share four partitions, each on its own thread as in life.
void TwoMembersShare(const std::string& strategy) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 4);
  for (int p = 0; p < 4; ++p) kafka.Fill("orders", p, 50);
  config::SessionOptions session = kafka.Session("group", {"orders"});
  session.properties["partition.assignment.strategy"] = strategy;
  Member first(session);
  ASSERT_TRUE(first.RunUntil([&] { return first.total == 200; }));
  first.CommitAll();
  Member second(session);
  std::atomic<bool> shared{false};
  std::thread other([&] {
    EXPECT_TRUE(second.RunUntil([&] { return second.partitions() == 2; }, absl::Seconds(25)));
    shared = true;
    second.RunUntil([&] { return second.total >= 20; }, absl::Seconds(25));
  });
  EXPECT_TRUE(first.RunUntil([&] { return first.partitions() == 2 && shared; }, absl::Seconds(25)));
  EXPECT_FALSE(first.revoked.empty());
  for (int p = 0; p < 4; ++p) kafka.Fill("orders", p, 10, 50);
  EXPECT_TRUE(first.RunUntil([&] { return first.total >= 220; }));
  other.join();
  // Each new record once, none of the committed again.
  EXPECT_EQ(first.total, 220u);
  EXPECT_EQ(second.total, 20u);
  for (const auto& [tp, list] : second.records) {
    EXPECT_EQ(list.front()->offset, Offset(50)) << tp;
    EXPECT_FALSE(first.assigned.contains(tp)) << tp;
  }
}

TEST(Rebalance, MembersShareAndRepeatNothing) {
  // At the same time: most of it is waiting for the mock's group.
  std::thread eager([] { TwoMembersShare("range"); });
  TwoMembersShare("cooperative-sticky");
  eager.join();
}

TEST(Rebalance, ARevocationWaitsForFinishRevoke) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 2);
  kafka.Fill("orders", 0, 10);
  kafka.Fill("orders", 1, 10);
  const config::SessionOptions session = kafka.Session("group", {"orders"});
  Member first(session, /*finish_revokes=*/false);
  ASSERT_TRUE(first.RunUntil([&] { return first.total == 20; }));
  Member second(session);
  std::atomic<bool> stop{false};
  std::atomic<bool> served{false};
  std::thread other([&] {
    while (!stop) {
      second.RunUntil([&] { return second.partitions() > 0; }, absl::Milliseconds(500));
      served = second.partitions() > 0;
    }
  });
  ASSERT_TRUE(first.RunUntil([&] { return !first.revoked.empty(); }));
  EXPECT_FALSE(first.revoked[0].lost);
  EXPECT_EQ(first.revoked[0].partitions.size(), 2u);
  first.RunUntil([] { return false; }, absl::Seconds(1));
  EXPECT_FALSE(served) << "the others wait for this member";
  // Still a member, no stranger to the group: Kafka takes its commit, and the
  // mock asks for another try as soon as a rebalance has begun.
  std::vector<PartitionOffset> positions;
  for (const auto& [tp, list] : first.records)
    positions.push_back({tp, list.back()->offset + 1, kNoLeaderEpoch});
  for (const auto& outcome : first.source().CommitSync(positions, absl::Seconds(5))) {
    EXPECT_TRUE(outcome.status.ok() || outcome.retriable) << outcome.status;
  }
  // More than once: the mock may refuse the second member's SyncGroup, which
  // comes after the leader's, and then begins another rebalance.
  const auto shared = [&] {
    first.source().FinishRevoke();
    return served.load() && first.partitions() == 1;
  };
  EXPECT_TRUE(first.RunUntil(shared, absl::Seconds(25)));
  stop = true;
  other.join();
}

TEST(Rebalance, CloseGivesUpARevocationThatIsHeld) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 2);
  const config::SessionOptions session = kafka.Session("group", {"orders"});
  Member first(session, /*finish_revokes=*/false);
  ASSERT_TRUE(first.RunUntil([&] { return first.partitions() == 2; }));
  Member second(session);
  ASSERT_TRUE(first.RunUntil([&] { return !first.revoked.empty(); }));
  EXPECT_TRUE(first.Close());
  EXPECT_TRUE(second.RunUntil([&] { return second.partitions() == 2; }, absl::Seconds(25)));
}

TEST(Rebalance, CloseEndsInTimeWhenBrokersAreDown) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  Member member(kafka.Session("group", {"orders"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.partitions() == 1; }));
  rd_kafka_mock_broker_set_down(kafka.cluster(), 1);
  const absl::Time began = absl::Now();
  member.Close(absl::Seconds(2));
  EXPECT_LT(absl::Now() - began, absl::Seconds(10)) << "closing hangs";
}

}  // namespace
}  // namespace datapy_kafka::kafka
