#include "commit_desk.h"

#include <algorithm>
#include <utility>

namespace datapy_kafka::engine {
namespace {

// The least time between two commits. At a thousand records a second a commit
// for each would be most of what a broker does for the session; what is acked
// meanwhile goes with the next, and a lone ack is committed at once.
constexpr absl::Duration kPace = absl::Milliseconds(10);
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
// From when on, and how often, it is told that commits are refused for now.
constexpr absl::Duration kDelayPatience = absl::Seconds(10);
constexpr absl::Duration kDelayInterval = absl::Minutes(1);

delivery::CommitVerdict VerdictOf(const ports::CommitOutcome& outcome) {
  if (outcome.status.ok()) return delivery::CommitVerdict::kDone;
  if (outcome.stale) return delivery::CommitVerdict::kStale;
  if (outcome.retriable) return delivery::CommitVerdict::kRetry;
  return delivery::CommitVerdict::kFailed;
}

}  // namespace

std::optional<delivery::CommitSettled> CommitDesk::Answered(const std::vector<ports::CommitOutcome>& outcomes,
                                                            absl::Time now, ports::LatencyHistogram* latency,
                                                            absl::Status* failure) {
  latency->Observe(now - sent_at_);
  delivery::CommitSettled finished;
  bool retry = false;
  for (const ports::CommitOutcome& outcome : outcomes) {
    const delivery::CommitVerdict verdict = VerdictOf(outcome);
    finished.outcomes.push_back({outcome.position, verdict});
    if (verdict == delivery::CommitVerdict::kDone) NoteConfirmed(outcome.position);
    if (verdict == delivery::CommitVerdict::kFailed && failure->ok()) *failure = outcome.status;
    if (verdict == delivery::CommitVerdict::kRetry) {
      retry = true;
      delay_ = outcome.status;
    }
  }
  if (!retry) {
    delay_ = absl::OkStatus();
    tell_delay_at_ = absl::InfiniteFuture();
    backoff_ = absl::ZeroDuration();
    if (now >= sent_at_ + kPace || !failure->ok()) return finished;
    held_ = std::move(finished);
    held_until_ = sent_at_ + kPace;
    return std::nullopt;
  }
  if (tell_delay_at_ == absl::InfiniteFuture()) tell_delay_at_ = now + kDelayPatience;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kMaxBackoff);
  held_ = std::move(finished);
  held_until_ = now + backoff_;
  return std::nullopt;
}

absl::Status CommitDesk::TakeDelay(absl::Time now) {
  if (now < tell_delay_at_) return absl::OkStatus();
  tell_delay_at_ = now + kDelayInterval;
  return delay_;
}

std::optional<delivery::CommitSettled> CommitDesk::Due(absl::Time now) {
  if (now < held_until_) return std::nullopt;
  held_until_ = absl::InfiniteFuture();
  return std::exchange(held_, std::nullopt);
}

void CommitDesk::Confirmed(const std::vector<ports::CommitOutcome>& outcomes) {
  for (const ports::CommitOutcome& outcome : outcomes) {
    if (outcome.status.ok()) NoteConfirmed(outcome.position);
  }
}

void CommitDesk::NoteConfirmed(const PartitionOffset& position) {
  ++confirmed_;
  last_[position.tp] = position;
  unreported_[position.tp] = position;
}

std::vector<PartitionOffset> CommitDesk::TakeReport(absl::Time now, bool final) {
  if (unreported_.empty() || (!final && now < last_report_ + report_interval_)) return {};
  last_report_ = now;
  std::vector<PartitionOffset> report = Sorted(unreported_);
  unreported_.clear();
  return report;
}

std::vector<PartitionOffset> CommitDesk::last_commits() const { return Sorted(last_); }

std::vector<PartitionOffset> CommitDesk::Sorted(const ByPartition& positions) {
  std::vector<PartitionOffset> sorted;
  sorted.reserve(positions.size());
  for (const auto& [tp, position] : positions) sorted.push_back(position);
  std::sort(sorted.begin(), sorted.end(),
            [](const PartitionOffset& a, const PartitionOffset& b) { return a.tp < b.tp; });
  return sorted;
}

absl::Time CommitDesk::NextDeadline() const {
  return unreported_.empty() ? held_until_ : std::min(held_until_, last_report_ + report_interval_);
}

}  // namespace datapy_kafka::engine
