// The end: no more deliveries, the last acks, the last commit.
#include <algorithm>
#include <utility>

#include "delivery/machine_impl.h"

namespace datapy_kafka::delivery {

void DeliveryMachine::Impl::On(Drain& event) {
  const absl::Time deadline = now_ + std::min(options_.drain_timeout, event.timeout);
  if (draining_) {
    draining_->deadline = std::min(draining_->deadline, deadline);
    return;
  }
  BeginDrain({event.cause, deadline, std::nullopt, ""});
}

void DeliveryMachine::Impl::On(ClientDone&) {
  if (!draining_) BeginDrain({DrainCause::kClient, now_ + options_.drain_timeout, std::nullopt, ""});
  draining_->client_done = true;
}

void DeliveryMachine::Impl::BeginDrain(Draining draining) {
  Emit(NotifyDraining{draining.cause, draining.deadline - now_});
  draining_ = std::move(draining);
  for (auto& [tp, p] : partitions_) DropHeld(*p);
}

void DeliveryMachine::Impl::CheckFinish() {
  if (!draining_ || finished_) return;
  const size_t open = opens_.size();
  const bool out_of_time = draining_->deadline <= now_;
  if (open > 0 && !draining_->client_done && !out_of_time) return;

  while (!revocations_.empty()) {
    FinishRevocation(revocations_.front());
    revocations_.erase(revocations_.begin());
  }
  Finish finish;
  finish.cause = draining_->cause;
  for (const auto& [tp, p] : partitions_) AppendUnconfirmed(*p, finish.positions);
  finish.failed_record = std::move(draining_->failed_record);
  finish.error = std::move(draining_->error);
  finish.unacked = open;
  finish.clean = open == 0 || draining_->client_done;
  Emit(std::move(finish));
  finished_ = true;
}

}  // namespace datapy_kafka::delivery
