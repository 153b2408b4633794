// Acks, nacks, time-outs and retries.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "delivery/machine_impl.h"

namespace datapy_kafka::delivery {

// Acks first: what a frame reports as processed was processed before its nacks
// take anything back.
void DeliveryMachine::Impl::On(Acked& event) {
  for (const AckRange& range : event.ranges) AckRangeOf(range);
  for (NackedDelivery& nack : event.nacks) {
    const OpenRef ref = opens_.Find(nack.id);
    if (ref == kNoOpen) {
      ++totals_.stale_acks;
      continue;
    }
    ++totals_.nacked;
    Fail(ref, std::move(nack.error), nack.stopping);
  }
}

// Ids of the range that were issued and are not open are stale one by one; what
// lies beyond the issued ids counts once, however long it is.
void DeliveryMachine::Impl::AckRangeOf(const AckRange& range) {
  uint64_t hits = 0;
  opens_.VisitRange(range.first, range.last, [&](OpenRef ref) {
    ++hits;
    PartitionState& p = *opens_.at(ref).partition;
    Close(ref);
    if (p.max_open != kNoLimit && !p.in_backoff) Widen(p, p.max_open + 1);
  });
  totals_.acked += hits;

  const uint64_t first = std::max<uint64_t>(range.first.value(), 1);
  const uint64_t last = std::min(range.last.value(), opens_.next_id().value() - 1);
  const uint64_t issued = first <= last ? last - first + 1 : 0;
  const bool beyond = range.first.value() == 0 || range.last >= opens_.next_id() || range.first > range.last;
  const uint64_t stale = issued - hits + (beyond ? 1 : 0);
  totals_.stale_acks += std::min(stale, std::numeric_limits<uint64_t>::max() - totals_.stale_acks);
}

void DeliveryMachine::Impl::Close(OpenRef ref) {
  const OpenDelivery& open = opens_.at(ref);
  PartitionState& p = *open.partition;
  window_.Release(open.size_bytes);
  if (!window_.shut()) {
    reopens_at_ = absl::InfiniteFuture();
  } else if (reopens_at_ == absl::InfiniteFuture()) {
    reopens_at_ = now_ + options_.reopen_delay;
  }
  opens_.Close(p.open, ref);
  if (p.max_open != kNoLimit && p.may_deliver()) MakeReady(p);
  Touch(p);
}

FailureOutcome DeliveryMachine::Impl::Fail(OpenRef ref, std::string error, bool never_resolve) {
  const OpenDelivery& open = opens_.at(ref);
  PartitionState& p = *open.partition;
  const Watermark before = open.before();

  RetryPolicy::Decision decision = policy_.Decide(open.attempt);
  const bool too_late = p.revoking && decision.outcome == FailureOutcome::kRetrying;
  if (never_resolve || draining_ || too_late) decision = {FailureOutcome::kLeft, absl::ZeroDuration()};

  const PartitionOffset failed{p.tp, open.offset, open.leader_epoch};
  Emit(ReportFailure{p.tp, open.offset, open.attempt, error, decision.outcome, decision.backoff});
  switch (decision.outcome) {
    case FailureOutcome::kSkipped:
      ++totals_.skipped;
      Close(ref);
      break;
    case FailureOutcome::kRetrying:
      ++totals_.retried;
      TakeBack(p, ref, decision.backoff);
      break;
    case FailureOutcome::kLeft:
      p.tracker.Leave(before);
      Close(ref);
      break;
    case FailureOutcome::kStopping:
      p.tracker.Leave(before);
      Close(ref);
      BeginDrain({DrainCause::kPolicy, now_ + options_.drain_timeout, failed, std::move(error)});
      break;
  }
  return decision.outcome;
}

void DeliveryMachine::Impl::TakeBack(PartitionState& p, OpenRef failed, absl::Duration backoff) {
  absl::Time until = now_ + backoff;
  if (p.in_backoff) until = std::max(until, p.alarm);
  p.in_backoff = true;
  MakeUnready(p);
  SetAlarm(p, until);

  while (true) {
    const OpenRef ref = p.open.newest;
    OpenDelivery& open = opens_.at(ref);
    HeldRecord& held = p.held.emplace_front();
    held.offset = open.offset;
    held.leader_epoch = open.leader_epoch;
    held.taken_back = true;
    held.previous_epoch = open.previous_epoch;
    held.attempt = open.attempt + (ref == failed ? 1 : 0);
    held.size_bytes = open.size_bytes;
    held.payload = std::move(open.payload);
    p.held_bytes += open.size_bytes;
    held_bytes_ += open.size_bytes;
    ++held_records_;
    Close(ref);
    if (ref == failed) break;
  }
}

void DeliveryMachine::Impl::SetAlarm(PartitionState& p, absl::Time at) {
  ClearAlarm(p);
  p.has_alarm = true;
  p.alarm = at;
  alarms_[{at, p.epoch}] = &p;
}

void DeliveryMachine::Impl::ClearAlarm(PartitionState& p) {
  if (!p.has_alarm) return;
  p.has_alarm = false;
  alarms_.erase({p.alarm, p.epoch});
}

void DeliveryMachine::Impl::RunAlarms() {
  while (!alarms_.empty() && alarms_.begin()->first.first <= now_) {
    PartitionState& p = *alarms_.begin()->second;
    SetAlarm(p, now_ + options_.slow_start_step);
    // After a backoff the failed record, beside what is open in front of it.
    const bool begins = std::exchange(p.in_backoff, false);
    Widen(p, begins ? p.open.size + 1 : p.max_open * 2);
  }
}

void DeliveryMachine::Impl::Widen(PartitionState& p, size_t max_open) {
  p.max_open = max_open;
  if (max_open >= window_.max_records()) EndRetry(p);
  if (p.may_deliver()) MakeReady(p);
}

void DeliveryMachine::Impl::EndRetry(PartitionState& p) {
  p.in_backoff = false;
  p.max_open = kNoLimit;
  ClearAlarm(p);
}

void DeliveryMachine::Impl::RunAckTimeouts() {
  while (!draining_ && !heads_.empty()) {
    PartitionState& p = *heads_.front();
    if (p.head_since + *options_.ack_timeout > now_) return;
    const bool still_head = !p.revoking && p.open.oldest != kNoOpen && opens_.at(p.open.oldest).id == p.head;
    if (still_head) TimeOut(p);
    RefreshHead(p);
  }
}

// The client may still hold the delivery and those behind it: it has to be told.
void DeliveryMachine::Impl::TimeOut(PartitionState& p) {
  const DeliveryId head = p.head;
  const DeliveryId newest = opens_.at(p.open.newest).id;
  const FailureOutcome outcome = Fail(
      p.open.oldest, absl::StrCat("ack timed out after ", absl::ToDoubleSeconds(*options_.ack_timeout), " s"),
      /*never_resolve=*/false);
  if (outcome == FailureOutcome::kRetrying) Emit(Withdraw{p.tp, newest});
  if (outcome == FailureOutcome::kSkipped) Emit(Withdraw{p.tp, head});
}

// Only the oldest open delivery of a partition can time out, from when it
// became the oldest: those behind it have not begun.
void DeliveryMachine::Impl::RefreshHead(PartitionState& p) {
  if (!options_.ack_timeout || *options_.ack_timeout <= absl::ZeroDuration()) return;
  const bool wanted = p.open.oldest != kNoOpen && !p.revoking;
  if (wanted && p.has_head && opens_.at(p.open.oldest).id == p.head) return;
  if (p.has_head) heads_.erase(p.head_place);
  p.has_head = wanted;
  if (!wanted) return;
  p.head = opens_.at(p.open.oldest).id;
  p.head_since = now_;
  p.head_place = heads_.insert(heads_.end(), &p);
}

}  // namespace datapy_kafka::delivery
