// The log's summary: what a line says, and that lines stop with their writer.
#include "datapy_kafka/telemetry/summary_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace datapy_kafka::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'000);

ports::SessionStatus Billing() {
  ports::SessionStatus session;
  session.session_id = "s1";
  session.group_id = "billing";
  session.acked_per_second = 119.7;
  session.totals.acked = 7200;
  session.totals.nacked = 3;
  session.totals.retried = 2;
  session.totals.skipped = 1;
  session.totals.commits = 60;
  session.in_flight_records = 10;
  session.max_in_flight_records = 10'000;
  return session;
}

TEST(SummaryLogTest, ALineTellsDoneAndToDo) {
  ports::DaemonStatus status;
  status.sessions.push_back(Billing());
  EXPECT_THAT(
      SummaryLines(status, kNow),
      ElementsAre("session s1 of group billing: 120 records/s; acked 7200, failed 3, retried 2, skipped 1, "
                  "commits 60; lag unknown in 0 partitions; in flight 10 of 10000"));
}

TEST(SummaryLogTest, TheOldestUnackedRecordIsNamed) {
  ports::DaemonStatus status;
  status.sessions.push_back(Billing());
  status.sessions[0].oldest_unacked =
      ports::OldestUnacked{{"orders", 2}, Offset(44), DeliveryId(7), 1, kNow - absl::Milliseconds(12'340)};
  EXPECT_THAT(SummaryLines(status, kNow)[0], EndsWith(", the oldest orders[2] offset 44 since 12.3s"));
}

TEST(SummaryLogTest, LagIsTheSumOfWhatIsKnown) {
  ports::DaemonStatus status;
  status.sessions.push_back(Billing());
  for (const int64_t lag : {5, -1, 7}) {
    ports::PartitionStatus partition;
    partition.lag = lag;
    status.sessions[0].partitions.push_back(partition);
  }
  EXPECT_THAT(SummaryLines(status, kNow)[0], HasSubstr("; lag 12 in 3 partitions;"));
}

TEST(SummaryLogTest, ProducersHaveALine) {
  ports::DaemonStatus status;
  EXPECT_THAT(SummaryLines(status, kNow), IsEmpty()) << "nothing to say";
  ports::ProducerStatus producer;
  producer.connection = "default";
  producer.delivered = 12;
  producer.failed = 1;
  producer.queued_records = 3;
  status.producers.push_back(producer);
  EXPECT_THAT(SummaryLines(status, kNow), ElementsAre("producer of default: written 12, failed 1, waiting 3"));
}

TEST(SummaryLogTest, AsksAgainAndAgainUntilItEnds) {
  int asked = 0;
  absl::Notification twice;
  {
    SummaryLog log(absl::Milliseconds(1), [&] {
      if (++asked == 2) twice.Notify();
      return ports::DaemonStatus();
    });
    EXPECT_TRUE(twice.WaitForNotificationWithTimeout(absl::Seconds(20)));
  }
  EXPECT_GE(asked, 2);
}

TEST(SummaryLogTest, AnIntervalOfZeroNeverAsks) {
  SummaryLog log(absl::ZeroDuration(), []() -> ports::DaemonStatus { std::abort(); });
  absl::SleepFor(absl::Milliseconds(20));
}

TEST(SummaryLogTest, ALongIntervalDoesNotHoldUpTheEnd) {
  SummaryLog log(absl::Hours(1), [] { return ports::DaemonStatus(); });
}

}  // namespace
}  // namespace datapy_kafka::telemetry
