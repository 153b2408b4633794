// The engine's side of committing: turns a source's outcomes into the core's
// verdicts, spaces out retries, measures, and gathers what to report.
//
// Owned by a session, on its engine thread.
#pragma once

#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::engine {

class CommitDesk {
 public:
  // `report_interval`: the least time between two reports to the client.
  explicit CommitDesk(absl::Duration report_interval) : report_interval_(report_interval) {}

  // A commit was sent.
  void Sent(absl::Time now) { sent_at_ = now; }

  // Its outcome came. Returns the event for the core, or holds it back until
  // NextDeadline: retriable outcomes, so that a broker in trouble is not asked
  // without pause, and others that came quickly, so that commits are not sent
  // more often than is of use. `failure`: set to the first final error.
  std::optional<delivery::CommitSettled> Answered(const std::vector<ports::CommitOutcome>& outcomes,
                                                  absl::Time now, ports::LatencyHistogram* latency,
                                                  absl::Status* failure);

  // Why commits have been refused, retriably, for longer than 10 s: once, and
  // then once a minute. OK when there is nothing to tell.
  absl::Status TakeDelay(absl::Time now);

  // Outcomes that were held back and are due.
  std::optional<delivery::CommitSettled> Due(absl::Time now);

  // Notes commits made outside of the asynchronous way (revoke, close).
  void Confirmed(const std::vector<ports::CommitOutcome>& outcomes);

  // Commits to report to the client: empty until the interval has passed.
  std::vector<PartitionOffset> TakeReport(absl::Time now, bool final);

  // The last confirmed commit of every partition, sorted.
  std::vector<PartitionOffset> last_commits() const;
  // Commits that a broker confirmed, one for each partition of a request.
  uint64_t confirmed() const { return confirmed_; }

  // When Due or TakeReport has something; InfiniteFuture for never.
  absl::Time NextDeadline() const;

 private:
  using ByPartition = absl::flat_hash_map<TopicPartition, PartitionOffset>;

  void NoteConfirmed(const PartitionOffset& position);
  static std::vector<PartitionOffset> Sorted(const ByPartition& positions);

  const absl::Duration report_interval_;
  absl::Time sent_at_ = absl::InfinitePast();
  std::optional<delivery::CommitSettled> held_;
  absl::Time held_until_ = absl::InfiniteFuture();
  absl::Duration backoff_ = absl::ZeroDuration();
  absl::Status delay_;
  absl::Time tell_delay_at_ = absl::InfiniteFuture();
  ByPartition last_;
  ByPartition unreported_;
  uint64_t confirmed_ = 0;
  absl::Time last_report_ = absl::InfinitePast();
};

}  // namespace datapy_kafka::engine
