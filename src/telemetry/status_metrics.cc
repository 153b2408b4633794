#include "status_metrics.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace datapy_kafka::telemetry {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Gathers families by name, in the order of their first use.
class Families {
 public:
  void Counter(const char* name, const char* help, const Labels& labels, double value) {
    prometheus::ClientMetric& metric = Add(name, help, prometheus::MetricType::Counter, labels);
    metric.counter.value = value;
  }
  void Gauge(const char* name, const char* help, const Labels& labels, double value) {
    prometheus::ClientMetric& metric = Add(name, help, prometheus::MetricType::Gauge, labels);
    metric.gauge.value = value;
  }
  void Histogram(const char* name, const char* help, const Labels& labels,
                 const ports::LatencyHistogram& from) {
    prometheus::ClientMetric& metric = Add(name, help, prometheus::MetricType::Histogram, labels);
    uint64_t below = 0;
    for (size_t i = 0; i < from.counts.size(); ++i) {
      below += from.counts[i];
      prometheus::ClientMetric::Bucket bucket;
      bucket.cumulative_count = below;
      bucket.upper_bound = i < from.kBounds.size() ? from.kBounds[i] : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back(bucket);
    }
    metric.histogram.sample_count = below;
    metric.histogram.sample_sum = from.sum_seconds;
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& Add(const char* name, const char* help, prometheus::MetricType type,
                                const Labels& labels) {
    auto family =
        std::find_if(families_.begin(), families_.end(), [name](const auto& one) { return one.name == name; });
    if (family == families_.end()) {
      families_.push_back({name, help, type, {}});
      family = families_.end() - 1;
    }
    prometheus::ClientMetric& metric = family->metric.emplace_back();
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    return metric;
  }

  std::vector<prometheus::MetricFamily> families_;
};

void AddTotals(const ports::SessionTotals& totals, const Labels& labels, Families* out) {
  const auto count = [&](const char* name, const char* help, uint64_t value) {
    out->Counter(name, help, labels, static_cast<double>(value));
  };
  count("datapy_kafka_delivered_records_total", "Records sent to jobs, repeated ones included.",
        totals.delivered);
  count("datapy_kafka_delivered_bytes_total", "Keys, values and headers sent to jobs.", totals.delivered_bytes);
  count("datapy_kafka_acked_records_total", "Records that jobs have processed.", totals.acked);
  count("datapy_kafka_nacked_records_total", "Records that jobs failed to process.", totals.nacked);
  count("datapy_kafka_retried_records_total", "Deliveries repeated after a failure.", totals.retried);
  count("datapy_kafka_skipped_records_total", "Records committed although they failed.", totals.skipped);
  count("datapy_kafka_stale_acks_total", "Acks ignored: unknown, repeated, or of a revoked partition.",
        totals.stale_acks);
  count("datapy_kafka_commits_total", "Commits that a broker confirmed.", totals.commits);
  count("datapy_kafka_rebalances_total", "Assignments received.", totals.rebalances);
}

void AddSession(const ports::SessionStatus& session, absl::Time now, Families* out) {
  const Labels labels = {{"group", session.group_id}, {"session", session.session_id}};
  AddTotals(session.totals, labels, out);
  const auto gauge = [&](const char* name, const char* help, double value) {
    out->Gauge(name, help, labels, value);
  };
  gauge("datapy_kafka_in_flight_records", "Records delivered and not yet acked.",
        static_cast<double>(session.in_flight_records));
  gauge("datapy_kafka_in_flight_bytes", "Bytes delivered and not yet acked.",
        static_cast<double>(session.in_flight_bytes));
  gauge("datapy_kafka_in_flight_records_limit", "The bound of in_flight_records.",
        static_cast<double>(session.max_in_flight_records));
  gauge("datapy_kafka_in_flight_bytes_limit", "The bound of in_flight_bytes.",
        static_cast<double>(session.max_in_flight_bytes));
  gauge(
      "datapy_kafka_oldest_unacked_seconds", "Age of the oldest delivery without an ack; 0 when there is none.",
      session.oldest_unacked ? std::max(0.0, absl::ToDoubleSeconds(now - session.oldest_unacked->delivered_at))
                             : 0);
  gauge("datapy_kafka_assigned_partitions", "Partitions that the session owns.",
        static_cast<double>(session.partitions.size()));
  out->Histogram("datapy_kafka_commit_seconds", "Time from a commit to the broker's answer.", labels,
                 session.commit_latency);
  out->Histogram("datapy_kafka_ack_seconds", "Time from a delivery to its ack, sampled.", labels,
                 session.ack_latency);
}

struct PartitionSum {
  double lag = 0;
  double in_flight = 0;
  double retrying = 0;
};

void AddPartitions(const ports::DaemonStatus& status, size_t max_partitions, Families* out) {
  size_t own_series = 0;
  std::map<std::tuple<std::string, std::string, std::string>, PartitionSum> sums;
  for (const ports::SessionStatus& session : status.sessions) {
    for (const ports::PartitionStatus& partition : session.partitions) {
      const std::string name = own_series < max_partitions ? absl::StrCat(partition.tp.partition) : "other";
      ++own_series;
      PartitionSum& sum = sums[{session.group_id, partition.tp.topic, name}];
      sum.lag += static_cast<double>(std::max<int64_t>(0, partition.lag));
      sum.in_flight += static_cast<double>(partition.in_flight_records);
      sum.retrying += partition.retrying ? 1 : 0;
    }
  }
  for (const auto& [key, sum] : sums) {
    const Labels labels = {
        {"group", std::get<0>(key)}, {"topic", std::get<1>(key)}, {"partition", std::get<2>(key)}};
    out->Gauge("datapy_kafka_partition_lag_records", "Records between the committed offset and the end.",
               labels, sum.lag);
    out->Gauge("datapy_kafka_partition_in_flight_records", "Records of it delivered and not yet acked.", labels,
               sum.in_flight);
    out->Gauge("datapy_kafka_partition_retrying", "1 while a record of it waits for its next attempt.", labels,
               sum.retrying);
  }
}

void AddProducer(const ports::ProducerStatus& producer, size_t index, Families* out) {
  const Labels labels = {{"connection", producer.connection}, {"producer", absl::StrCat("p", index + 1)}};
  out->Gauge("datapy_kafka_producer_queued_records", "Records waiting for the broker.", labels,
             static_cast<double>(producer.queued_records));
  out->Counter("datapy_kafka_produced_records_total", "Records written.", labels,
               static_cast<double>(producer.delivered));
  out->Counter("datapy_kafka_produce_failures_total", "Records that could not be written.", labels,
               static_cast<double>(producer.failed));
  out->Counter("datapy_kafka_produced_bytes_total", "Keys and values written.", labels,
               static_cast<double>(producer.delivered_bytes));
}

}  // namespace

std::vector<prometheus::MetricFamily> MakeMetrics(const ports::DaemonStatus& status, absl::Time now,
                                                  size_t max_partitions) {
  Families out;
  out.Gauge("datapy_kafka_build_info", "Always 1; the labels tell versions.",
            {{"version", status.version}, {"librdkafka", status.librdkafka_version}}, 1);
  out.Gauge("datapy_kafka_start_time_seconds", "When the daemon started, since the epoch.", {},
            absl::ToDoubleSeconds(status.started_at - absl::UnixEpoch()));
  out.Gauge("datapy_kafka_draining", "1 while the daemon is stopping.", {}, status.draining ? 1 : 0);
  out.Gauge("datapy_kafka_sessions", "Open consume sessions.", {}, static_cast<double>(status.sessions.size()));
  out.Counter("datapy_kafka_sessions_ended_total", "Consume sessions that have ended.", {},
              static_cast<double>(status.sessions_ended));
  // Of the sessions that have ended, so that sums over all sessions never fall.
  AddTotals(status.ended_totals, {{"group", ""}, {"session", "ended"}}, &out);
  for (const ports::SessionStatus& session : status.sessions) AddSession(session, now, &out);
  AddPartitions(status, max_partitions, &out);
  for (size_t i = 0; i < status.producers.size(); ++i) AddProducer(status.producers[i], i, &out);
  return out.Take();
}

}  // namespace datapy_kafka::telemetry
