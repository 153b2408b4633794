#include "delivery/retry_policy.h"

#include <algorithm>

namespace datapy_kafka::delivery {

RetryPolicy::Decision RetryPolicy::Decide(uint32_t attempt) const {
  switch (mode_) {
    case FailureMode::kContinue:
      return {FailureOutcome::kSkipped, absl::ZeroDuration()};
    case FailureMode::kStop:
      return {FailureOutcome::kStopping, absl::ZeroDuration()};
    case FailureMode::kRetry:
      break;
  }
  if (attempt > max_retries_) return {FailureOutcome::kSkipped, absl::ZeroDuration()};
  if (backoff_.empty()) return {FailureOutcome::kRetrying, absl::ZeroDuration()};
  const size_t step = std::min<size_t>(attempt - 1, backoff_.size() - 1);
  return {FailureOutcome::kRetrying, std::max(backoff_[step], absl::ZeroDuration())};
}

}  // namespace datapy_kafka::delivery
