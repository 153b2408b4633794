// What becomes of a failed delivery: continue, retry after a backoff, or stop.
//
// Immutable, owned by a DeliveryMachine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::delivery {

class RetryPolicy {
 public:
  struct Decision {
    FailureOutcome outcome = FailureOutcome::kSkipped;
    absl::Duration backoff = absl::ZeroDuration();  // kRetrying
  };

  RetryPolicy(FailureMode mode, uint32_t max_retries, std::vector<absl::Duration> backoff)
      : mode_(mode), max_retries_(max_retries), backoff_(std::move(backoff)) {}

  // Of a delivery that failed at its `attempt`, counted from 1.
  Decision Decide(uint32_t attempt) const;

  // Whether a delivery may ever be made again: whether payloads must be kept.
  bool redelivers() const { return mode_ == FailureMode::kRetry && max_retries_ > 0; }

 private:
  const FailureMode mode_;
  const uint32_t max_retries_;
  const std::vector<absl::Duration> backoff_;
};

}  // namespace datapy_kafka::delivery
