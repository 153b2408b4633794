#include "unit/delivery/reference_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "unit/delivery/event_text.h"

namespace datapy_kafka::delivery {

void ReferenceModel::Take(const Assigned& event) {
  for (const PartitionOffset& assigned : event.partitions) {
    Forget(assigned.tp);
    parts_[assigned.tp].serial = next_serial_++;
  }
}

void ReferenceModel::Take(const Revoked& event) {
  Pending pending;
  for (const TopicPartition& tp : event.partitions) {
    const auto it = parts_.find(tp);
    if (it == parts_.end()) continue;
    if (event.lost) {
      Forget(tp);
    } else if (!it->second.revoking) {
      it->second.revoking = true;
      DropHeld(it->second);
      pending.tps.push_back(tp);
    }
  }
  if (event.lost) {
    finish_revokes_.push_back(ToText(FinishRevoke{}));
    return;
  }
  if (!pending.tps.empty()) pending.id = ++last_revocation_;
  pending.deadline = now_ + options_.revoke_timeout;
  pending_.push_back(pending);
}

void ReferenceModel::Take(const Polled& event) {
  const auto it = parts_.find(event.tp);
  if (it == parts_.end() || it->second.revoking || draining_) return;
  for (const PolledRecord& record : event.records) {
    Part& part = parts_[event.tp];
    const bool read_before = !part.recs.empty() && record.offset <= part.recs.back().polled.offset;
    if (read_before || record.offset < part.position) {
      uint64_t newest = 0;
      for (const Rec& rec : part.recs) {
        if (rec.fate == Fate::kOpen) newest = std::max(newest, rec.id);
      }
      if (newest != 0) withdraws_.push_back(ToText(Withdraw{event.tp, DeliveryId(newest)}));
      Part fresh;
      fresh.serial = next_serial_++;
      fresh.readable = part.readable;
      const bool held = Holds(part);
      part = fresh;
      if (held && HasRoom()) OpenWindow();
    }
    part.recs.push_back({record});
  }
}

void ReferenceModel::Take(const PositionReached& event) {
  const auto it = parts_.find(event.tp);
  if (it == parts_.end() || it->second.revoking || draining_) return;
  it->second.position = std::max(it->second.position, event.position);
}

std::pair<ReferenceModel::Part*, ReferenceModel::Rec*> ReferenceModel::FindOpen(uint64_t id,
                                                                                TopicPartition* tp) {
  for (auto& [name, part] : parts_) {
    for (Rec& rec : part.recs) {
      if (rec.fate != Fate::kOpen || rec.id != id) continue;
      if (tp != nullptr) *tp = name;
      return {&part, &rec};
    }
  }
  return {nullptr, nullptr};
}

void ReferenceModel::Take(const Acked& event) {
  for (const AckRange& range : event.ranges) {
    const uint64_t first = range.first.value(), last = range.last.value();
    bool beyond = first == 0 || first > last || last >= next_id_;
    for (uint64_t id = std::max<uint64_t>(first, 1); id <= last && id < next_id_; ++id) {
      const auto [part, rec] = FindOpen(id, nullptr);
      if (rec == nullptr) {
        ++stale_;
        continue;
      }
      rec->fate = Fate::kResolved;
      if (part->limit > 0) ++part->limit;
      ++acked_;
    }
    if (beyond) ++stale_;
  }
  for (const NackedDelivery& nack : event.nacks) {
    TopicPartition tp;
    const auto [part, rec] = FindOpen(nack.id.value(), &tp);
    if (rec == nullptr) {
      ++stale_;
      continue;
    }
    ++nacked_;
    FailRecord(tp, *part, static_cast<size_t>(rec - part->recs.data()), nack.error, nack.stopping);
  }
}

FailureOutcome ReferenceModel::FailRecord(const TopicPartition& tp, Part& part, size_t index,
                                          const std::string& error, bool stopping) {
  Rec& rec = part.recs[index];
  ReportFailure report{tp,    rec.polled.offset,        rec.attempt,
                       error, FailureOutcome::kSkipped, absl::ZeroDuration()};
  const bool may_retry = options_.failure_mode == FailureMode::kRetry && rec.attempt < 1 + options_.max_retries;
  if (stopping || draining_ || (may_retry && part.revoking)) {
    report.outcome = FailureOutcome::kLeft;
    rec.fate = Fate::kLeft;
  } else if (options_.failure_mode == FailureMode::kStop) {
    report.outcome = FailureOutcome::kStopping;
    rec.fate = Fate::kLeft;
    failed_record_ = PartitionOffset{tp, rec.polled.offset, rec.polled.leader_epoch};
    failed_error_ = error;
  } else if (may_retry) {
    report.outcome = FailureOutcome::kRetrying;
    report.backoff = options_.backoff[std::min<size_t>(rec.attempt - 1, options_.backoff.size() - 1)];
    ++rec.attempt;
    for (size_t i = index; i < part.recs.size(); ++i) {
      if (part.recs[i].fate == Fate::kOpen) part.recs[i].fate = Fate::kHeld;
    }
    absl::Time until = now_ + report.backoff;
    if (part.blocked) until = std::max(until, part.blocked_until);
    part.blocked = true;
    part.blocked_until = until;
    ++retried_;
  } else {
    rec.fate = Fate::kResolved;
    ++skipped_;
  }
  failures_.push_back(ToText(Action(report)));
  if (report.outcome == FailureOutcome::kStopping) BeginDrain(DrainCause::kPolicy, absl::InfiniteDuration());
  return report.outcome;
}

void ReferenceModel::Take(const Released& event) {
  for (Pending& pending : pending_) {
    if (pending.id != 0 && pending.id == event.revocation_id) pending.released = true;
  }
}

void ReferenceModel::Take(const CommitSettled& event) {
  std::map<TopicPartition, Offset> open;
  for (const PartitionOffset& sent : wire_) open[sent.tp] = sent.offset;
  for (const SettledCommit& outcome : event.outcomes) {
    const TopicPartition& tp = outcome.position.tp;
    if (outcome.verdict == CommitVerdict::kDone) last_[tp] = outcome.position.offset;
    const auto sent = open.find(tp);
    if (sent == open.end() || sent->second != outcome.position.offset) continue;
    const auto it = parts_.find(tp);
    if (it != parts_.end() && it->second.serial == wire_serials_[tp]) {
      if (outcome.verdict == CommitVerdict::kDone) {
        it->second.confirmed = std::max(it->second.confirmed, sent->second);
      } else if (outcome.verdict == CommitVerdict::kRetry) {
        it->second.sent = it->second.confirmed;
      }
    }
    open.erase(sent);
  }
  for (const auto& [tp, offset] : open) {  // not spoken of: tried again
    const auto it = parts_.find(tp);
    if (it != parts_.end() && it->second.serial == wire_serials_[tp]) it->second.sent = it->second.confirmed;
  }
  wire_.clear();
  wire_serials_.clear();
  wire_busy_ = false;
}

void ReferenceModel::Take(const Drain& event) { BeginDrain(event.cause, event.timeout); }

void ReferenceModel::Take(const ClientDone&) {
  BeginDrain(DrainCause::kClient, absl::InfiniteDuration());
  client_done_ = true;
}

void ReferenceModel::BeginDrain(DrainCause cause, absl::Duration timeout) {
  const absl::Time deadline = now_ + std::min(timeout, options_.drain_timeout);
  if (draining_) {
    drain_deadline_ = std::min(drain_deadline_, deadline);
    return;
  }
  draining_ = true;
  cause_ = cause;
  drain_deadline_ = deadline;
  for (auto& [tp, part] : parts_) DropHeld(part);
}

// What was read and is not delivered will not be: it counts as left, and so
// does what was to be delivered again.
void ReferenceModel::DropHeld(Part& part) {
  part.blocked = false;
  part.limit = 0;
  if (Holds(part) && HasRoom()) OpenWindow();
  for (Rec& rec : part.recs) {
    if (rec.fate != Fate::kHeld) continue;
    rec.fate = Fate::kLeft;
    part.position_void = true;
  }
}

void ReferenceModel::Forget(const TopicPartition& tp) {
  if (const auto it = parts_.find(tp); it != parts_.end()) DropHeld(it->second);
  parts_.erase(tp);
  for (Pending& pending : pending_) std::erase(pending.tps, tp);
}

void ReferenceModel::RunTimers() {
  for (auto& [tp, part] : parts_) {
    if (part.blocked && part.blocked_until <= now_) {
      part.blocked = false;
      part.limit = OpenCount(part) + 1;
      part.doubles_at = now_ + options_.slow_start_step;
    } else if (!part.blocked && part.limit > 0 && part.doubles_at <= now_) {
      part.limit *= 2;
      part.doubles_at = now_ + options_.slow_start_step;
    }
  }
  if (!options_.ack_timeout) return;
  // The longest waiting first; a partition's clock starts with its head.
  while (!draining_) {
    const TopicPartition* due = nullptr;
    for (auto& [tp, part] : parts_) {
      if (part.head_id == 0 || part.revoking || part.head_since + *options_.ack_timeout > now_) continue;
      const auto head = std::find_if(part.recs.begin(), part.recs.end(),
                                     [](const Rec& rec) { return rec.fate == Fate::kOpen; });
      if (head == part.recs.end() || head->id != part.head_id) continue;
      if (due == nullptr || part.head_since < parts_[*due].head_since) due = &tp;
    }
    if (due == nullptr) return;
    Part& part = parts_[*due];
    uint64_t newest = 0;
    for (const Rec& rec : part.recs) {
      if (rec.fate == Fate::kOpen) newest = std::max(newest, rec.id);
    }
    const uint64_t head_id = std::exchange(part.head_id, 0);
    for (size_t i = 0; i < part.recs.size(); ++i) {
      if (part.recs[i].fate != Fate::kOpen || part.recs[i].id != head_id) continue;
      const FailureOutcome outcome = FailRecord(
          *due, part, i,
          absl::StrCat("ack timed out after ", absl::ToDoubleSeconds(*options_.ack_timeout), " s"), false);
      if (outcome == FailureOutcome::kRetrying)
        withdraws_.push_back(ToText(Withdraw{*due, DeliveryId(newest)}));
      if (outcome == FailureOutcome::kSkipped)
        withdraws_.push_back(ToText(Withdraw{*due, DeliveryId(head_id)}));
      break;
    }
  }
}

size_t ReferenceModel::OpenCount(const Part& part) const {
  return static_cast<size_t>(std::count_if(part.recs.begin(), part.recs.end(),
                                           [](const Rec& rec) { return rec.fate == Fate::kOpen; }));
}

size_t ReferenceModel::OpenCount() const {
  size_t count = 0;
  for (const auto& [tp, part] : parts_) count += OpenCount(part);
  return count;
}

size_t ReferenceModel::OpenBytes() const {
  size_t bytes = 0;
  for (const auto& [tp, part] : parts_) {
    for (const Rec& rec : part.recs) bytes += rec.fate == Fate::kOpen ? rec.polled.size_bytes : 0;
  }
  return bytes;
}

bool ReferenceModel::Admits(size_t size) const {
  const size_t open = OpenCount();
  return open == 0 ||
         (open < options_.max_in_flight_records && OpenBytes() + size <= options_.max_in_flight_bytes);
}

bool ReferenceModel::Holds(const Part& part) {
  return std::any_of(part.recs.begin(), part.recs.end(),
                     [](const Rec& rec) { return rec.fate == Fate::kHeld; });
}

bool ReferenceModel::HasRoom() const {
  return OpenCount() < options_.max_in_flight_records && OpenBytes() < options_.max_in_flight_bytes;
}

void ReferenceModel::OpenWindow() {
  shut_ = maybe_shut_ = false;
  reopens_at_ = absl::InfiniteFuture();
}

void ReferenceModel::LookAtWindow(size_t open_before) {
  const size_t open = OpenCount(), max = options_.max_in_flight_records;
  const bool quarter =
      open + max / 4 <= max && OpenBytes() + options_.max_in_flight_bytes / 4 <= options_.max_in_flight_bytes;
  if (open < open_before && (open == 0 || quarter)) shut_ = maybe_shut_ = false;
  if (!shut_ && !maybe_shut_) {
    reopens_at_ = absl::InfiniteFuture();
  } else if (open < open_before && reopens_at_ == absl::InfiniteFuture()) {
    reopens_at_ = now_ + options_.reopen_delay;
  }
  if (reopens_at_ <= now_) OpenWindow();
}

bool ReferenceModel::MayDeliver(const Part& part) const {
  // A limit as large as the window has done its work.
  const bool limited = part.limit > 0 && part.limit < options_.max_in_flight_records;
  return !part.blocked && (!limited || OpenCount(part) < part.limit);
}

Offset ReferenceModel::Committable(const Part& part) const {
  Offset mark = kNoOffset;
  Offset first_delivered = kNoOffset;
  for (const Rec& rec : part.recs) {
    if (!rec.was_delivered) continue;
    if (first_delivered == kNoOffset) first_delivered = rec.polled.offset;
    if (rec.fate != Fate::kResolved) {
      mark = rec.polled.offset;
      // Nothing in front of the first was resolved; what could be committed once still can.
      return mark > first_delivered ? mark : part.best;
    }
    mark = rec.polled.offset + 1;
  }
  const bool held = std::any_of(part.recs.begin(), part.recs.end(), [](const Rec& rec) {
    return rec.fate == Fate::kHeld || rec.fate == Fate::kLeft;
  });
  if (!held && !part.position_void) mark = std::max(mark, part.position);
  return std::max(mark, part.best);
}

void ReferenceModel::AppendFinal(const TopicPartition& tp, const Part& part,
                                 std::vector<PartitionOffset>& out) const {
  const Offset mark = Committable(part);
  if (mark > part.confirmed) out.push_back({tp, mark});
}

std::vector<PartitionOffset> ReferenceModel::FinishPending(size_t index) {
  const Pending pending = pending_[index];
  std::vector<PartitionOffset> positions;
  std::vector<TopicPartition> tps = pending.tps;
  std::sort(tps.begin(), tps.end());
  for (const TopicPartition& tp : tps) {
    AppendFinal(tp, parts_[tp], positions);
    Forget(tp);
  }
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
  return positions;
}

void ReferenceModel::ExpectEnds() {
  for (int round = 0; round < 2 && !finished_; ++round) {
    const size_t open = OpenCount();
    if (draining_ && (open == 0 || client_done_ || drain_deadline_ <= now_)) {
      while (!pending_.empty()) finish_revokes_.push_back(ToText(FinishRevoke{FinishPending(0)}));
      Finish finish;
      finish.cause = cause_;
      for (const auto& [tp, part] : parts_) AppendFinal(tp, part, finish.positions);
      finish.unacked = open;
      finish.clean = open == 0 || client_done_;
      finish.failed_record = failed_record_;
      finish.error = failed_error_;
      finishes_.push_back(ToText(Action(finish)));
      finished_ = true;
      return;
    }
    for (size_t i = 0; i < pending_.size();) {
      size_t waiting = 0;
      for (const TopicPartition& tp : pending_[i].tps) waiting += OpenCount(parts_[tp]);
      if (waiting > 0 && !pending_[i].released && pending_[i].deadline > now_) {
        ++i;
        continue;
      }
      finish_revokes_.push_back(ToText(FinishRevoke{FinishPending(i)}));
    }
  }
}

}  // namespace datapy_kafka::delivery
