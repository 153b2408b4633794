// A session's latest status, written by its engine thread a few times a second
// and read by anyone. Thread-safe.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::engine {

class StatusBoard {
 public:
  StatusBoard(const config::SessionOptions& options, std::string session_id, absl::Time now);

  // Any thread.
  ports::SessionStatus Read() const;

  // The rest: engine thread. Publishes what the machine and the source say.
  void Publish(const delivery::DeliveryMachine& machine, const ports::SessionTotals& totals, bool joined,
               const std::vector<ports::PartitionProgress>& progress, absl::Time now);
  void AddError(const absl::Status& status, absl::Time now);
  ports::LatencyHistogram* commit_latency() { return &commit_latency_; }
  ports::LatencyHistogram* ack_latency() { return &ack_latency_; }

 private:
  void UpdateRate(uint64_t acked, absl::Time now);

  // Engine thread only.
  ports::LatencyHistogram commit_latency_;
  ports::LatencyHistogram ack_latency_;
  uint64_t rate_acked_ = 0;
  absl::Time rate_since_;
  double rate_ = 0;

  mutable absl::Mutex mutex_;
  ports::SessionStatus status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace datapy_kafka::engine
