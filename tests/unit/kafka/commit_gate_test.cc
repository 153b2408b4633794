// When a cooperative member's commits wait.
#include "kafka/commit_gate.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/time/clock.h"
#include "kafka/client_conf.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

TEST(CommitGateTest, IsNeededForCooperativeGroupsAlone) {
  MockKafka kafka;
  config::SessionOptions options = kafka.Session("g", {"t"});
  EXPECT_FALSE(CommitGate::IsNeeded(ConsumerConf(options)->get()));
  options.properties["partition.assignment.strategy"] = "cooperative-sticky";
  EXPECT_EQ(CommitGate::IsNeeded(ConsumerConf(options)->get()), RD_KAFKA_VERSION < 0x020a00ff);
}

TEST(CommitGateTest, CommitsKeepADistance) {
  CommitGate gate;
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_FALSE(gate.Closed(now));
  gate.CommitSent(now);
  EXPECT_TRUE(gate.Closed(now + absl::Milliseconds(1)));
  EXPECT_FALSE(gate.Closed(now + absl::Seconds(1)));
}

TEST(CommitGateTest, IsClosedFromTheJoinToItsOutcome) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  auto conf = ConsumerConf(kafka.Session("g", {"t"}));
  ASSERT_TRUE(conf.ok()) << conf.status();
  CommitGate gate;
  gate.Install(conf->get());
  char text[512] = "";
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf->release(), text, sizeof(text));
  ASSERT_NE(rk, nullptr) << text;
  rd_kafka_poll_set_consumer(rk);
  const PartitionListPtr topics = NewPartitionList(1);
  rd_kafka_topic_partition_list_add(topics.get(), "t", RD_KAFKA_PARTITION_UA);
  EXPECT_FALSE(gate.Closed(absl::Now()));
  rd_kafka_subscribe(rk, topics.get());
  const QueuePtr queue(rd_kafka_queue_get_consumer(rk));
  const EventPtr assigned(rd_kafka_queue_poll(queue.get(), 30'000));
  ASSERT_NE(assigned, nullptr);
  ASSERT_EQ(rd_kafka_event_type(assigned.get()), RD_KAFKA_EVENT_REBALANCE);
  EXPECT_TRUE(gate.joining());
  EXPECT_TRUE(gate.Closed(absl::Now()));
  gate.RebalanceSeen();
  EXPECT_FALSE(gate.Closed(absl::Now()));
  rd_kafka_destroy(rk);
}

TEST(CommitGateTest, ACommitThatWaitedNeverUndoesALaterOne) {
  MockKafka kafka;
  kafka.CreateTopic("t", 1);
  kafka.Fill("t", 0, 20);
  config::SessionOptions session = kafka.Session("g", {"t"});
  session.properties["partition.assignment.strategy"] = "cooperative-sticky";
  const TopicPartition tp{"t", 0};
  {
    Member member(session);
    ASSERT_TRUE(member.RunUntil([&] { return member.total == 20; }));
    member.source().CommitAsync({{tp, Offset(5), kNoLeaderEpoch}});
    ASSERT_TRUE(member.RunUntil([&] { return member.commits.size() == 1; }));
    member.source().CommitAsync({{tp, Offset(10), kNoLeaderEpoch}});
    const auto outcomes = member.source().CommitSync({{tp, Offset(15), kNoLeaderEpoch}}, absl::Seconds(10));
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_TRUE(outcomes[0].status.ok()) << outcomes[0].status;
    ASSERT_TRUE(member.RunUntil([&] { return member.commits.size() == 2; }));
    EXPECT_TRUE(member.Close());
  }
  Member next(session);
  ASSERT_TRUE(next.RunUntil([&] { return next.total > 0; }));
  EXPECT_EQ(next.records[tp].front()->offset, Offset(15));
}

}  // namespace
}  // namespace datapy_kafka::kafka
