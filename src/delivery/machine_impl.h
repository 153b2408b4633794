// The parts of DeliveryMachine, which machine.cc puts together:
//
//   delivering.cc  polled records, the window, who may be read
//   resolving.cc   acks, nacks, time-outs, retries
//   rebalancing.cc assignments and revocations
//   draining.cc    the end
//
// An event changes the state and touches partitions; then timers run, credits
// are used, and the touched partitions are looked at once: watermark,
// readability, oldest delivery.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datapy_kafka/delivery/machine.h"
#include "delivery/commit_planner.h"
#include "delivery/inflight_window.h"
#include "delivery/open_deliveries.h"
#include "delivery/partition_state.h"
#include "delivery/retry_policy.h"

namespace datapy_kafka::delivery {

class DeliveryMachine::Impl {
 public:
  explicit Impl(MachineOptions options);

  std::vector<Action> Handle(absl::Time now, Event event);
  absl::Time NextDeadline() const;

  size_t free_records() const;
  size_t free_bytes() const;
  MachineState state() const;
  const Totals& totals() const { return totals_; }
  const InflightWindow& window() const { return window_; }
  std::optional<OldestOpen> oldest_open() const;
  std::vector<PartitionView> partitions() const;
  const CommitPlanner& planner() const { return planner_; }

 private:
  struct Revocation {
    uint64_t id = 0;
    std::vector<PartitionState*> partitions;
    absl::Time deadline;
    bool released = false;
  };
  struct Draining {
    DrainCause cause = DrainCause::kClient;
    absl::Time deadline;
    std::optional<PartitionOffset> failed_record;
    std::string error;
    bool client_done = false;
  };

  void On(Assigned& event);
  void On(Revoked& event);
  void On(Polled& event);
  void On(PositionReached& event);
  void On(Acked& event);
  void On(Released& event);
  void On(CommitSettled& event);
  void On(Drain& event);
  void On(ClientDone& event);
  void On(Tick&) {}

  // Made in place: GCC 12 takes a moved variant for uninitialised otherwise.
  template <typename OneAction>
  void Emit(OneAction action) {
    actions_.emplace_back(std::in_place_type<OneAction>, std::move(action));
  }
  PartitionState* Find(const TopicPartition& tp);
  // Has the partition looked at when the event has been handled.
  void Touch(PartitionState& p);
  void LookAtTouched();
  Watermark CommittableOf(const PartitionState& p) const;
  // The positions of `p` that no commit has confirmed, if any, appended.
  void AppendUnconfirmed(const PartitionState& p, std::vector<PartitionOffset>& positions) const;

  // ---- delivering.cc
  void Hold(PartitionState& p, PolledRecord& record);
  void Pump();
  void DeliverTurn(PartitionState& p);
  void MakeReady(PartitionState& p);
  void MakeUnready(PartitionState& p);
  void DropHeld(PartitionState& p);
  void UpdateReadable(PartitionState& p);
  // Reading went back to an offset that was read before: begin anew.
  void StartOver(PartitionState& p);

  // ---- resolving.cc
  void AckRangeOf(const AckRange& range);
  // Ends an open delivery: its credits are free, its id is stale.
  void Close(OpenRef ref);
  FailureOutcome Fail(OpenRef ref, std::string error, bool never_resolve);
  // Takes back `failed` and all open deliveries after it, to deliver them again.
  void TakeBack(PartitionState& p, OpenRef failed, absl::Duration backoff);
  void SetAlarm(PartitionState& p, absl::Time at);
  void ClearAlarm(PartitionState& p);
  void RunAlarms();
  // Moves the limit of a slow start up, which ends at the size of the window.
  void Widen(PartitionState& p, size_t max_open);
  void EndRetry(PartitionState& p);
  void RunAckTimeouts();
  void RunReopening();
  void TimeOut(PartitionState& p);
  void RefreshHead(PartitionState& p);

  // ---- rebalancing.cc
  void Forget(PartitionState& p);
  void FinishRevocation(Revocation& revocation);
  void CheckRevocations();

  // ---- draining.cc
  void BeginDrain(Draining draining);
  void CheckFinish();

  const MachineOptions options_;
  const RetryPolicy policy_;
  InflightWindow window_;
  OpenDeliveries opens_;
  CommitPlanner planner_;
  std::map<TopicPartition, std::unique_ptr<PartitionState>> partitions_;
  Epoch last_epoch_;

  size_t held_records_ = 0;
  size_t held_bytes_ = 0;
  std::deque<PartitionState*> ready_;     // may deliver, and wait for credits alone
  std::vector<PartitionState*> touched_;  // by the event in hand
  std::map<std::pair<absl::Time, Epoch>, PartitionState*> alarms_;
  // When the window opens that is shut, whatever is free by then.
  absl::Time reopens_at_ = absl::InfiniteFuture();
  std::list<PartitionState*> heads_;  // with ack_timeout: the longest unmoved first

  std::vector<Revocation> revocations_;
  uint64_t last_revocation_ = 0;
  std::optional<Draining> draining_;
  bool finished_ = false;

  absl::Time now_ = absl::InfinitePast();
  Totals totals_;
  std::vector<Action> actions_;
};

}  // namespace datapy_kafka::delivery
