// Polled records, the window, and who may be read.
#include <algorithm>
#include <utility>

#include "delivery/machine_impl.h"

namespace datapy_kafka::delivery {
namespace {

// The most records that one partition delivers before others have their turn.
constexpr size_t kTurn = 1024;
// A partition that waits for credits is read on until it holds this share of
// the window: to stop and go on costs the prefetch.
constexpr size_t kHoldShare = 8;

}  // namespace

void DeliveryMachine::Impl::On(Polled& event) {
  PartitionState* p = Find(event.tp);
  if (p == nullptr || p->revoking || draining_) return;
  for (PolledRecord& record : event.records) {
    if (record.offset < p->read_to) StartOver(*p);
    p->read_to = record.offset + 1;
    Hold(*p, record);
  }
  if (p->may_deliver()) MakeReady(*p);
  Touch(*p);
}

void DeliveryMachine::Impl::On(PositionReached& event) {
  PartitionState* p = Find(event.tp);
  if (p == nullptr || p->revoking || draining_) return;
  p->tracker.ReadUpTo(event.position);
  p->read_to = std::max(p->read_to, event.position);
  Touch(*p);
}

void DeliveryMachine::Impl::Hold(PartitionState& p, PolledRecord& record) {
  p.held_bytes += record.size_bytes;
  held_bytes_ += record.size_bytes;
  ++held_records_;
  HeldRecord& held = p.held.emplace_back();
  held.offset = record.offset;
  held.leader_epoch = record.leader_epoch;
  held.size_bytes = record.size_bytes;
  held.payload = std::move(record.payload);
}

void DeliveryMachine::Impl::Pump() {
  while (!ready_.empty()) {
    PartitionState& p = *ready_.front();
    if (!window_.Admits(p.held.front().size_bytes)) {
      window_.Shut();
      return;
    }
    ready_.pop_front();
    p.is_ready = false;
    DeliverTurn(p);
    if (p.may_deliver()) MakeReady(p);
    Touch(p);
  }
}

void DeliveryMachine::Impl::RunReopening() {
  if (reopens_at_ > now_) return;
  reopens_at_ = absl::InfiniteFuture();
  window_.Reopen();
}

void DeliveryMachine::Impl::DeliverTurn(PartitionState& p) {
  Deliver deliver{p.tp, opens_.next_id(), {}};
  deliver.records.reserve(
      std::min({p.held.size(), p.max_open - p.open.size, window_.free_records() + 1, kTurn}));
  while (p.may_deliver() && deliver.records.size() < kTurn && window_.Admits(p.held.front().size_bytes)) {
    HeldRecord& record = p.held.front();
    OpenDelivery open;
    open.offset = record.offset;
    open.leader_epoch = record.leader_epoch;
    open.previous_epoch =
        record.taken_back ? record.previous_epoch : p.tracker.Deliver(record.offset, record.leader_epoch);
    open.attempt = record.attempt;
    open.size_bytes = record.size_bytes;
    open.delivered_at = now_;
    open.partition = &p;
    if (policy_.redelivers()) open.payload = record.payload;
    opens_.Open(p.open, std::move(open));
    window_.Take(record.size_bytes);
    totals_.delivered_bytes += record.size_bytes;
    p.held_bytes -= record.size_bytes;
    held_bytes_ -= record.size_bytes;
    --held_records_;
    deliver.records.push_back({std::move(record.payload), record.offset, record.attempt});
    p.held.pop_front();
  }
  totals_.delivered += deliver.records.size();
  Emit(std::move(deliver));
}

void DeliveryMachine::Impl::MakeReady(PartitionState& p) {
  if (p.is_ready) return;
  p.is_ready = true;
  ready_.push_back(&p);
}

void DeliveryMachine::Impl::MakeUnready(PartitionState& p) {
  if (!p.is_ready) return;
  p.is_ready = false;
  std::erase(ready_, &p);
}

void DeliveryMachine::Impl::DropHeld(PartitionState& p) {
  EndRetry(p);
  MakeUnready(p);
  if (p.held.empty()) return;
  p.tracker.ForgetPosition();
  if (p.held.front().taken_back) p.tracker.Leave({p.held.front().offset, p.held.front().previous_epoch});
  held_records_ -= p.held.size();
  held_bytes_ -= p.held_bytes;
  p.held_bytes = 0;
  p.held.clear();
  // It may have been what the window was too small for: no ack would open it.
  if (window_.ReopenIfRoom()) reopens_at_ = absl::InfiniteFuture();
}

void DeliveryMachine::Impl::UpdateReadable(PartitionState& p) {
  if (p.revoking || draining_) return;
  const bool overfull =
      p.held.size() > window_.max_records() / kHoldShare || p.held_bytes > window_.max_bytes() / kHoldShare;
  const bool readable = p.readable ? !p.in_backoff && !overfull : p.held.empty();
  if (readable == p.readable) return;
  p.readable = readable;
  Emit(SetReadable{p.tp, readable});
}

// The log was truncated, or the reset policy went back: what was read from here
// on is void, and commits may go back with the log.
void DeliveryMachine::Impl::StartOver(PartitionState& p) {
  if (p.open.newest != kNoOpen) {
    Emit(Withdraw{p.tp, opens_.at(p.open.newest).id});
    while (p.open.oldest != kNoOpen) Close(p.open.oldest);
  }
  DropHeld(p);
  planner_.Drop(p.tp);
  p.tracker = PartitionTracker();
  p.read_to = kNoOffset;
  p.epoch = ++last_epoch_;
}

// What is held counts as well, up to a second window: then a partition in a
// backoff does not starve the others, and memory stays bounded all the same.
size_t DeliveryMachine::Impl::free_records() const {
  if (draining_ || !ready_.empty()) return 0;
  const size_t room = window_.max_records() * 2, used = window_.records() + held_records_;
  return std::min(window_.free_records(), used < room ? room - used : 0);
}

size_t DeliveryMachine::Impl::free_bytes() const {
  if (draining_ || !ready_.empty()) return 0;
  const size_t room = window_.max_bytes() * 2, used = window_.bytes() + held_bytes_;
  return held_records_ == 0 ? window_.free_bytes()
                            : std::min(window_.free_bytes(), used < room ? room - used : 0);
}

}  // namespace datapy_kafka::delivery
