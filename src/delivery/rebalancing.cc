// Assignments and revocations.
#include <algorithm>
#include <utility>

#include "delivery/machine_impl.h"

namespace datapy_kafka::delivery {

void DeliveryMachine::Impl::On(Assigned& event) {
  ++totals_.rebalances;
  for (const PartitionOffset& assigned : event.partitions) {
    if (PartitionState* old = Find(assigned.tp)) Forget(*old);
    partitions_[assigned.tp] = std::make_unique<PartitionState>(assigned.tp, ++last_epoch_);
  }
  if (!event.partitions.empty()) Emit(NotifyAssigned{std::move(event.partitions)});
}

void DeliveryMachine::Impl::On(Revoked& event) {
  NotifyRevoked notify;
  notify.lost = event.lost;
  Revocation revocation;
  for (const TopicPartition& tp : event.partitions) {
    PartitionState* p = Find(tp);
    if (p == nullptr || (p->revoking && !event.lost)) continue;
    notify.partitions.push_back(tp);
    if (event.lost) {
      Forget(*p);
      continue;
    }
    p->revoking = true;
    DropHeld(*p);
    Touch(*p);
    revocation.partitions.push_back(p);
  }
  if (!event.lost && !notify.partitions.empty()) notify.revocation_id = revocation.id = ++last_revocation_;
  if (!notify.partitions.empty()) Emit(std::move(notify));
  if (event.lost) {
    Emit(FinishRevoke{});
    return;
  }
  revocation.deadline = now_ + options_.revoke_timeout;
  revocations_.push_back(std::move(revocation));
}

void DeliveryMachine::Impl::On(Released& event) {
  for (Revocation& revocation : revocations_) {
    if (revocation.id == event.revocation_id && event.revocation_id != 0) revocation.released = true;
  }
}

// Its ids become stale, its records are gone.
void DeliveryMachine::Impl::Forget(PartitionState& p) {
  DropHeld(p);
  while (p.open.oldest != kNoOpen) Close(p.open.oldest);
  if (p.has_head) heads_.erase(p.head_place);
  planner_.Drop(p.tp);
  std::erase(touched_, &p);
  for (Revocation& revocation : revocations_) std::erase(revocation.partitions, &p);
  partitions_.erase(TopicPartition(p.tp));
}

void DeliveryMachine::Impl::FinishRevocation(Revocation& revocation) {
  FinishRevoke finish;
  for (const PartitionState* p : revocation.partitions) AppendUnconfirmed(*p, finish.positions);
  std::sort(finish.positions.begin(), finish.positions.end(),
            [](const PartitionOffset& a, const PartitionOffset& b) { return a.tp < b.tp; });
  Emit(std::move(finish));
  const std::vector<PartitionState*> partitions = revocation.partitions;
  for (PartitionState* p : partitions) Forget(*p);
}

void DeliveryMachine::Impl::CheckRevocations() {
  for (size_t i = 0; i < revocations_.size();) {
    Revocation& revocation = revocations_[i];
    const bool settled = std::all_of(revocation.partitions.begin(), revocation.partitions.end(),
                                     [](const PartitionState* p) { return p->open.size == 0; });
    if (!settled && !revocation.released && revocation.deadline > now_) {
      ++i;
      continue;
    }
    FinishRevocation(revocation);
    revocations_.erase(revocations_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  Pump();
}

}  // namespace datapy_kafka::delivery
