#include "datapy_kafka/delivery/machine.h"

#include <algorithm>
#include <utility>

#include "delivery/machine_impl.h"

namespace datapy_kafka::delivery {

DeliveryMachine::Impl::Impl(MachineOptions options)
    : options_(std::move(options)),
      policy_(options_.failure_mode, options_.max_retries, options_.backoff),
      window_(options_.max_in_flight_records, options_.max_in_flight_bytes) {}

std::vector<Action> DeliveryMachine::Impl::Handle(absl::Time now, Event event) {
  now_ = std::max(now_, now);
  if (finished_) {
    // The outcome of a commit that was on the wire is still good to know.
    if (auto* outcome = std::get_if<CommitSettled>(&event)) planner_.Settle(outcome->outcomes);
    return {};
  }
  std::visit([this](auto& one) { On(one); }, event);
  RunAlarms();
  RunAckTimeouts();
  RunReopening();
  Pump();
  CheckFinish();
  if (!finished_) {
    CheckRevocations();
    CheckFinish();
  }
  if (!finished_) {
    LookAtTouched();
    if (std::vector<PartitionOffset> positions = planner_.Take(); !positions.empty()) {
      Emit(CommitOffsets{std::move(positions)});
    }
  }
  return std::exchange(actions_, {});
}

void DeliveryMachine::Impl::On(CommitSettled& event) {
  const std::vector<CommitPlanner::Confirmation> confirmations = planner_.Settle(event.outcomes);
  if (!confirmations.empty()) ++totals_.commits;
  for (const CommitPlanner::Confirmation& confirmed : confirmations) {
    PartitionState* p = Find(confirmed.tp);
    if (p != nullptr && p->epoch == confirmed.epoch) p->tracker.Confirmed(confirmed.offset);
  }
}

PartitionState* DeliveryMachine::Impl::Find(const TopicPartition& tp) {
  const auto it = partitions_.find(tp);
  return it == partitions_.end() ? nullptr : it->second.get();
}

void DeliveryMachine::Impl::Touch(PartitionState& p) {
  if (p.is_touched) return;
  p.is_touched = true;
  touched_.push_back(&p);
}

void DeliveryMachine::Impl::LookAtTouched() {
  for (PartitionState* p : touched_) {
    p->is_touched = false;
    RefreshHead(*p);
    UpdateReadable(*p);
    const Watermark mark = CommittableOf(*p);
    if (!p->tracker.IsNew(mark)) continue;
    p->tracker.Offered(mark);
    planner_.Offer({p->tp, mark.offset, mark.leader_epoch}, p->epoch);
  }
  touched_.clear();
}

Watermark DeliveryMachine::Impl::CommittableOf(const PartitionState& p) const {
  // What is open stands in front of what is held.
  std::optional<Watermark> unresolved;
  if (p.open.oldest != kNoOpen) {
    unresolved = opens_.at(p.open.oldest).before();
  } else if (!p.held.empty() && p.held.front().taken_back) {
    unresolved = Watermark{p.held.front().offset, p.held.front().previous_epoch};
  }
  return p.tracker.Committable(unresolved, !p.held.empty());
}

void DeliveryMachine::Impl::AppendUnconfirmed(const PartitionState& p,
                                              std::vector<PartitionOffset>& positions) const {
  const Watermark mark = CommittableOf(p);
  if (p.tracker.IsUnconfirmed(mark)) positions.push_back({p.tp, mark.offset, mark.leader_epoch});
}

absl::Time DeliveryMachine::Impl::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  if (finished_) return next;
  next = std::min(next, reopens_at_);
  if (!alarms_.empty()) next = std::min(next, alarms_.begin()->first.first);
  for (const Revocation& revocation : revocations_) next = std::min(next, revocation.deadline);
  if (draining_) return std::min(next, draining_->deadline);
  if (!heads_.empty()) next = std::min(next, heads_.front()->head_since + *options_.ack_timeout);
  return next;
}

MachineState DeliveryMachine::Impl::state() const {
  if (finished_) return MachineState::kFinished;
  if (draining_) return MachineState::kDraining;
  return revocations_.empty() ? MachineState::kRunning : MachineState::kRevoking;
}

std::optional<OldestOpen> DeliveryMachine::Impl::oldest_open() const {
  const OpenRef ref = opens_.Oldest();
  if (ref == kNoOpen) return std::nullopt;
  const OpenDelivery& open = opens_.at(ref);
  return OldestOpen{open.partition->tp, open.offset, open.id, open.attempt, open.delivered_at};
}

std::vector<PartitionView> DeliveryMachine::Impl::partitions() const {
  std::vector<PartitionView> views;
  views.reserve(partitions_.size());
  for (const auto& [tp, p] : partitions_) {
    Offset first = p->tracker.floor();
    if (first == kNoOffset && !p->held.empty()) first = p->held.front().offset;
    views.push_back({tp, p->tracker.confirmed(), CommittableOf(*p).offset, first, p->open.size, p->in_backoff});
  }
  return views;
}

DeliveryMachine::DeliveryMachine(MachineOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
DeliveryMachine::~DeliveryMachine() = default;

std::vector<Action> DeliveryMachine::Handle(absl::Time now, Event event) {
  return impl_->Handle(now, std::move(event));
}
absl::Time DeliveryMachine::NextDeadline() const { return impl_->NextDeadline(); }
size_t DeliveryMachine::free_records() const { return impl_->free_records(); }
size_t DeliveryMachine::free_bytes() const { return impl_->free_bytes(); }
MachineState DeliveryMachine::state() const { return impl_->state(); }
const Totals& DeliveryMachine::totals() const { return impl_->totals(); }
size_t DeliveryMachine::in_flight_records() const { return impl_->window().records(); }
size_t DeliveryMachine::in_flight_bytes() const { return impl_->window().bytes(); }
std::optional<OldestOpen> DeliveryMachine::oldest_open() const { return impl_->oldest_open(); }
std::vector<PartitionView> DeliveryMachine::partitions() const { return impl_->partitions(); }
std::vector<PartitionOffset> DeliveryMachine::last_commits() const { return impl_->planner().last_commits(); }

}  // namespace datapy_kafka::delivery
