// The families that a status becomes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "telemetry/status_metrics.h"

namespace datapy_kafka::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Pair;

const absl::Time kNow = absl::FromUnixSeconds(1'000'100);

ports::SessionStatus Session(const std::string& id, const std::string& group, uint64_t acked = 0) {
  ports::SessionStatus session;
  session.session_id = id;
  session.group_id = group;
  session.totals.acked = acked;
  return session;
}

ports::PartitionStatus Partition(int32_t partition, int64_t lag) {
  ports::PartitionStatus status;
  status.tp = {"orders", partition};
  status.lag = lag;
  status.in_flight_records = 1;
  return status;
}

// Each sample as Prometheus reads it: series and value.
std::map<std::string, double> Samples(const ports::DaemonStatus& status, size_t max_partitions = 200) {
  const std::string text = prometheus::TextSerializer().Serialize(MakeMetrics(status, kNow, max_partitions));
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t blank = line.rfind(' ');
    const bool added = samples.emplace(line.substr(0, blank), std::stod(line.substr(blank + 1))).second;
    EXPECT_TRUE(added) << "twice: " << line;
  }
  return samples;
}

ports::DaemonStatus Everything() {
  ports::DaemonStatus status;
  status.version = "1.0.0";
  status.librdkafka_version = "2.0.2";
  status.started_at = absl::FromUnixSeconds(1'000'000);
  status.draining = true;
  status.sessions_ended = 4;
  ports::SessionStatus session = Session("s1", "billing");
  session.totals.delivered = 1;
  session.totals.delivered_bytes = 2;
  session.totals.acked = 3;
  session.totals.nacked = 4;
  session.totals.retried = 5;
  session.totals.skipped = 6;
  session.totals.stale_acks = 7;
  session.totals.commits = 8;
  session.totals.rebalances = 9;
  session.errors = {{ErrorReason::kBrokerUnreachable, 20}};
  session.in_flight_records = 10;
  session.in_flight_bytes = 11;
  session.max_in_flight_records = 12;
  session.max_in_flight_bytes = 13;
  session.oldest_unacked.emplace();
  session.oldest_unacked->delivered_at = kNow - absl::Seconds(14);
  session.partitions = {Partition(0, 15)};
  session.partitions[0].retrying = true;
  session.commit_latency.Observe(absl::Milliseconds(3));
  session.commit_latency.Observe(absl::Hours(1));
  status.sessions = {session};
  ports::ProducerStatus producer;
  producer.connection = "orders";
  producer.queued_records = 16;
  producer.delivered = 17;
  producer.failed = 18;
  producer.delivered_bytes = 19;
  status.producers = {producer};
  return status;
}

TEST(MetricsTest, EverySeriesAndItsValue) {
  const std::map<std::string, double> expected = {
      {"datapy_kafka_build_info{version=\"1.0.0\",librdkafka=\"2.0.2\"}", 1},
      {"datapy_kafka_start_time_seconds", 1'000'000},
      {"datapy_kafka_draining", 1},
      {"datapy_kafka_sessions", 1},
      {"datapy_kafka_sessions_ended_total", 4},
      {"datapy_kafka_delivered_records_total{group=\"billing\"}", 1},
      {"datapy_kafka_delivered_bytes_total{group=\"billing\"}", 2},
      {"datapy_kafka_acked_records_total{group=\"billing\"}", 3},
      {"datapy_kafka_nacked_records_total{group=\"billing\"}", 4},
      {"datapy_kafka_retried_records_total{group=\"billing\"}", 5},
      {"datapy_kafka_skipped_records_total{group=\"billing\"}", 6},
      {"datapy_kafka_stale_acks_total{group=\"billing\"}", 7},
      {"datapy_kafka_commits_total{group=\"billing\"}", 8},
      {"datapy_kafka_rebalances_total{group=\"billing\"}", 9},
      {"datapy_kafka_errors_total{group=\"billing\",reason=\"BROKER_UNREACHABLE\"}", 20},
      {"datapy_kafka_group_sessions{group=\"billing\"}", 1},
      {"datapy_kafka_in_flight_records{group=\"billing\"}", 10},
      {"datapy_kafka_in_flight_bytes{group=\"billing\"}", 11},
      {"datapy_kafka_in_flight_records_limit{group=\"billing\"}", 12},
      {"datapy_kafka_in_flight_bytes_limit{group=\"billing\"}", 13},
      {"datapy_kafka_oldest_unacked_seconds{group=\"billing\"}", 14},
      {"datapy_kafka_assigned_partitions{group=\"billing\"}", 1},
      {"datapy_kafka_partition_lag_records{group=\"billing\",topic=\"orders\",partition=\"0\"}", 15},
      {"datapy_kafka_partition_in_flight_records{group=\"billing\",topic=\"orders\",partition=\"0\"}", 1},
      {"datapy_kafka_partition_retrying{group=\"billing\",topic=\"orders\",partition=\"0\"}", 1},
      {"datapy_kafka_producer_queued_records{connection=\"orders\"}", 16},
      {"datapy_kafka_produced_records_total{connection=\"orders\"}", 17},
      {"datapy_kafka_produce_failures_total{connection=\"orders\"}", 18},
      {"datapy_kafka_produced_bytes_total{connection=\"orders\"}", 19},
  };
  std::map<std::string, double> others = Samples(Everything());
  for (const auto& [series, value] : expected) {
    ASSERT_EQ(others.count(series), 1u) << series;
    EXPECT_EQ(others[series], value) << series;
    others.erase(series);
  }
  // What is left are the two histograms: a count, a sum, and 15 buckets each.
  EXPECT_EQ(others.size(), 2u * 17);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_count{group=\"billing\"}"], 2);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_sum{group=\"billing\"}"], 3600.003);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_bucket{group=\"billing\",le=\"0.0025\"}"], 0);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_bucket{group=\"billing\",le=\"0.005\"}"], 1);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_bucket{group=\"billing\",le=\"60\"}"], 1);
  EXPECT_EQ(others["datapy_kafka_commit_seconds_bucket{group=\"billing\",le=\"+Inf\"}"], 2);
  EXPECT_EQ(others["datapy_kafka_ack_seconds_count{group=\"billing\"}"], 0);
}

TEST(MetricsTest, NamesAndHelpFollowTheConventions) {
  for (const prometheus::MetricFamily& family : MakeMetrics(Everything(), kNow, 200)) {
    EXPECT_TRUE(absl::StartsWith(family.name, "datapy_kafka_")) << family.name;
    EXPECT_EQ(absl::EndsWith(family.name, "_total"), family.type == prometheus::MetricType::Counter)
        << family.name;
    if (family.type == prometheus::MetricType::Histogram) {
      EXPECT_TRUE(absl::EndsWith(family.name, "_seconds")) << family.name;
    }
    EXPECT_TRUE(absl::EndsWith(family.help, ".")) << family.name;
    EXPECT_FALSE(family.metric.empty()) << family.name;
  }
}

TEST(MetricsTest, SessionsOfAGroupAreSummed) {
  ports::DaemonStatus status;
  status.sessions = {Session("s1", "a", 1), Session("s2", "b", 10), Session("s3", "a", 100)};
  status.sessions[0].in_flight_records = 5;
  status.sessions[2].in_flight_records = 6;
  status.sessions[0].oldest_unacked.emplace();
  status.sessions[0].oldest_unacked->delivered_at = kNow - absl::Seconds(3);
  status.sessions[2].oldest_unacked.emplace();
  status.sessions[2].oldest_unacked->delivered_at = kNow - absl::Seconds(9);
  const auto samples = Samples(status);
  EXPECT_THAT(samples, IsSupersetOf({Pair("datapy_kafka_sessions", 3),
                                     Pair("datapy_kafka_group_sessions{group=\"a\"}", 2),
                                     Pair("datapy_kafka_acked_records_total{group=\"a\"}", 101),
                                     Pair("datapy_kafka_acked_records_total{group=\"b\"}", 10),
                                     Pair("datapy_kafka_in_flight_records{group=\"a\"}", 11),
                                     Pair("datapy_kafka_oldest_unacked_seconds{group=\"a\"}", 9)}));
}

TEST(MetricsTest, CountersDoNotFallWhenASessionOrAProducerEnds) {
  ports::DaemonStatus before = Everything();
  ports::DaemonStatus after = before;
  ports::EndedSessions ended;
  ended.group_id = "billing";
  ended.sessions = 1;
  ended.totals = before.sessions[0].totals;
  ended.errors = before.sessions[0].errors;
  ended.commit_latency = before.sessions[0].commit_latency;
  after.ended_groups = {ended};
  after.sessions.clear();
  after.closed_producers = before.producers;
  after.closed_producers[0].queued_records = 0;
  after.producers.clear();
  const auto later = Samples(after);
  for (const auto& [series, value] : Samples(before)) {
    if (!absl::StrContains(series, "_total") && !absl::StrContains(series, "_seconds_")) continue;
    ASSERT_EQ(later.count(series), 1u) << series;
    EXPECT_EQ(later.at(series), value) << series;
  }
  EXPECT_EQ(later.at("datapy_kafka_group_sessions{group=\"billing\"}"), 0);
  EXPECT_EQ(later.at("datapy_kafka_in_flight_records{group=\"billing\"}"), 0);
  EXPECT_EQ(later.at("datapy_kafka_producer_queued_records{connection=\"orders\"}"), 0);
}

TEST(MetricsTest, PartitionsBeyondTheLimitAreSummedAsOther) {
  ports::DaemonStatus status;
  status.sessions = {Session("s1", "g")};
  for (int32_t i = 0; i < 5; ++i) status.sessions[0].partitions.push_back(Partition(i, 10 + i));
  status.sessions[0].partitions.push_back(Partition(5, -1));  // not known: counts as none
  std::map<std::string, double> lags;
  for (const auto& [series, value] : Samples(status, 2)) {
    if (absl::StartsWith(series, "datapy_kafka_partition_lag_records")) lags[series] = value;
  }
  const std::string prefix = "datapy_kafka_partition_lag_records{group=\"g\",topic=\"orders\",partition=";
  EXPECT_THAT(lags, ElementsAre(Pair(prefix + "\"0\"}", 10), Pair(prefix + "\"1\"}", 11),
                                Pair("datapy_kafka_partition_lag_records{group=\"g\",topic=\"other\","
                                     "partition=\"other\"}",
                                     12 + 13 + 14)));
}

TEST(MetricsTest, ALagThatIsNotKnownHasNoSeries) {
  ports::DaemonStatus status;
  status.sessions = {Session("s1", "g")};
  status.sessions[0].partitions.push_back(Partition(0, -1));
  for (const auto& [series, value] : Samples(status)) {
    EXPECT_FALSE(absl::StartsWith(series, "datapy_kafka_partition_lag_records")) << series;
  }
}

TEST(MetricsTest, NamesOfJobsAreEscaped) {
  ports::DaemonStatus status;
  status.sessions = {Session("s1", "a\"b\\c\nd", 1)};
  EXPECT_EQ(Samples(status).count("datapy_kafka_acked_records_total{group=\"a\\\"b\\\\c\\nd\"}"), 1u);
}

}  // namespace
}  // namespace datapy_kafka::telemetry
