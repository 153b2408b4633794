#include "datapy_kafka/ports/status.h"

#include <algorithm>

namespace datapy_kafka::ports {

void LatencyHistogram::Observe(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts[bound - kBounds.begin()];
  sum_seconds += seconds;
}

void LatencyHistogram::Add(const LatencyHistogram& more) {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += more.counts[i];
  sum_seconds += more.sum_seconds;
}

void Add(const SessionTotals& more, SessionTotals* sum) {
  sum->delivered += more.delivered;
  sum->acked += more.acked;
  sum->nacked += more.nacked;
  sum->retried += more.retried;
  sum->skipped += more.skipped;
  sum->stale_acks += more.stale_acks;
  sum->commits += more.commits;
  sum->rebalances += more.rebalances;
  sum->delivered_bytes += more.delivered_bytes;
}

void Add(const ErrorCounts& more, ErrorCounts* sum) {
  for (const auto& [reason, count] : more) (*sum)[reason] += count;
}

}  // namespace datapy_kafka::ports
