#include "status_metrics.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

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

// Sessions come and go, each with an id of its own; their group stays. Sums over
// all of a group's sessions, ended ones included, so that counters never fall.
struct GroupSum {
  size_t open = 0;
  ports::SessionTotals totals;
  ports::ErrorCounts errors;
  double in_flight_records = 0;
  double in_flight_bytes = 0;
  double in_flight_records_limit = 0;
  double in_flight_bytes_limit = 0;
  double oldest_unacked_seconds = 0;
  double assigned_partitions = 0;
  ports::LatencyHistogram commit_latency;
  ports::LatencyHistogram ack_latency;
};

void Count(const ports::SessionStatus& session, absl::Time now, GroupSum* sum) {
  ++sum->open;
  ports::Add(session.totals, &sum->totals);
  ports::Add(session.errors, &sum->errors);
  sum->in_flight_records += static_cast<double>(session.in_flight_records);
  sum->in_flight_bytes += static_cast<double>(session.in_flight_bytes);
  sum->in_flight_records_limit += static_cast<double>(session.max_in_flight_records);
  sum->in_flight_bytes_limit += static_cast<double>(session.max_in_flight_bytes);
  if (session.oldest_unacked) {
    sum->oldest_unacked_seconds = std::max(sum->oldest_unacked_seconds,
                                           absl::ToDoubleSeconds(now - session.oldest_unacked->delivered_at));
  }
  sum->assigned_partitions += static_cast<double>(session.partitions.size());
  sum->commit_latency.Add(session.commit_latency);
  sum->ack_latency.Add(session.ack_latency);
}

void AddGroup(const std::string& name, const GroupSum& sum, Families* out) {
  const Labels labels = {{"group", name}};
  AddTotals(sum.totals, labels, out);
  for (const auto& [reason, count] : sum.errors) {
    out->Counter("datapy_kafka_errors_total", "Errors of sessions by reason: Kafka's, and records that failed.",
                 {{"group", name}, {"reason", std::string(ErrorReasonName(reason))}},
                 static_cast<double>(count));
  }
  const auto gauge = [&](const char* family, const char* help, double value) {
    out->Gauge(family, help, labels, value);
  };
  gauge("datapy_kafka_group_sessions", "Open consume sessions of the group.", static_cast<double>(sum.open));
  gauge("datapy_kafka_in_flight_records", "Records delivered and not yet acked.", sum.in_flight_records);
  gauge("datapy_kafka_in_flight_bytes", "Bytes delivered and not yet acked.", sum.in_flight_bytes);
  gauge("datapy_kafka_in_flight_records_limit", "The bound of in_flight_records.", sum.in_flight_records_limit);
  gauge("datapy_kafka_in_flight_bytes_limit", "The bound of in_flight_bytes.", sum.in_flight_bytes_limit);
  gauge("datapy_kafka_oldest_unacked_seconds",
        "Age of the oldest delivery without an ack; 0 when there is none.", sum.oldest_unacked_seconds);
  gauge("datapy_kafka_assigned_partitions", "Partitions that the group's sessions here own.",
        sum.assigned_partitions);
  out->Histogram("datapy_kafka_commit_seconds", "Time from a commit to the broker's answer.", labels,
                 sum.commit_latency);
  out->Histogram("datapy_kafka_ack_seconds", "Time from a delivery to its ack, sampled.", labels,
                 sum.ack_latency);
}

void AddGroups(const ports::DaemonStatus& status, absl::Time now, Families* out) {
  std::map<std::string, GroupSum> sums;
  for (const ports::EndedSessions& ended : status.ended_groups) {
    GroupSum& sum = sums[ended.group_id];
    ports::Add(ended.totals, &sum.totals);
    ports::Add(ended.errors, &sum.errors);
    sum.commit_latency.Add(ended.commit_latency);
    sum.ack_latency.Add(ended.ack_latency);
  }
  for (const ports::SessionStatus& session : status.sessions) Count(session, now, &sums[session.group_id]);
  for (const auto& [name, sum] : sums) AddGroup(name, sum, out);
}

struct PartitionSum {
  bool lag_known = false;  // of one of them at least
  double lag = 0;
  double in_flight = 0;
  double retrying = 0;
};

void AddPartitions(const ports::DaemonStatus& status, size_t max_partitions, Families* out) {
  size_t own_series = 0;
  std::map<std::tuple<std::string, std::string, std::string>, PartitionSum> sums;
  for (const ports::SessionStatus& session : status.sessions) {
    for (const ports::PartitionStatus& partition : session.partitions) {
      // Beyond the limit the topics are folded too: there may be thousands.
      const bool own = own_series++ < max_partitions;
      PartitionSum& sum = sums[{session.group_id, own ? partition.tp.topic : "other",
                                own ? absl::StrCat(partition.tp.partition) : "other"}];
      sum.lag_known |= partition.lag >= 0;
      sum.lag += static_cast<double>(std::max<int64_t>(0, partition.lag));
      sum.in_flight += static_cast<double>(partition.in_flight_records);
      sum.retrying += partition.retrying ? 1 : 0;
    }
  }
  for (const auto& [key, sum] : sums) {
    const Labels labels = {
        {"group", std::get<0>(key)}, {"topic", std::get<1>(key)}, {"partition", std::get<2>(key)}};
    // No series rather than a 0 that nobody measured: an alert would take it for health.
    if (sum.lag_known) {
      out->Gauge("datapy_kafka_partition_lag_records", "Records between the committed offset and the end.",
                 labels, sum.lag);
    }
    out->Gauge("datapy_kafka_partition_in_flight_records", "Records of it delivered and not yet acked.", labels,
               sum.in_flight);
    out->Gauge("datapy_kafka_partition_retrying", "1 while a record of it waits for its next attempt.", labels,
               sum.retrying);
  }
}

void AddProducers(const ports::DaemonStatus& status, Families* out) {
  std::map<std::string, ports::ProducerStatus> sums;
  for (const auto* producers : {&status.closed_producers, &status.producers}) {
    for (const ports::ProducerStatus& producer : *producers) {
      ports::ProducerStatus& sum = sums[producer.connection];
      sum.queued_records += producer.queued_records;
      sum.delivered += producer.delivered;
      sum.failed += producer.failed;
      sum.delivered_bytes += producer.delivered_bytes;
    }
  }
  for (const auto& [connection, sum] : sums) {
    const Labels labels = {{"connection", connection}};
    out->Gauge("datapy_kafka_producer_queued_records", "Records waiting for the broker.", labels,
               static_cast<double>(sum.queued_records));
    out->Counter("datapy_kafka_produced_records_total", "Records written.", labels,
                 static_cast<double>(sum.delivered));
    out->Counter("datapy_kafka_produce_failures_total", "Records that could not be written.", labels,
                 static_cast<double>(sum.failed));
    out->Counter("datapy_kafka_produced_bytes_total", "Keys and values written.", labels,
                 static_cast<double>(sum.delivered_bytes));
  }
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
  AddGroups(status, now, &out);
  AddPartitions(status, max_partitions, &out);
  AddProducers(status, &out);
  return out.Take();
}

}  // namespace datapy_kafka::telemetry
