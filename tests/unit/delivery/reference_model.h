// What the delivery core must do, written apart from it and naively: all polled
// records of an assignment in a vector, and every question answered by a scan.
//
//   ReferenceModel model(options);
//   model.Check(now, event, machine.Handle(now, event), machine)
//
// returns what is wrong, or nothing. Checked after each event: deliveries (order,
// ids, attempts, window, nothing withheld without a reason), commits (exactly
// the watermark, one on the wire), failures, revocations, the end, counts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::delivery {

class ReferenceModel {
 public:
  explicit ReferenceModel(MachineOptions options) : options_(std::move(options)) {}

  std::string Check(absl::Time now, const Event& event, const std::vector<Action>& actions,
                    const DeliveryMachine& machine);

  // What a generator of events wants to know.
  const std::vector<PartitionOffset>& on_the_wire() const { return wire_; }
  uint64_t next_id() const { return next_id_; }
  uint64_t last_revocation() const { return last_revocation_; }

 private:
  enum class Fate { kHeld, kOpen, kResolved, kLeft };
  struct Rec {
    PolledRecord polled;
    Fate fate = Fate::kHeld;
    bool was_delivered = false;
    uint32_t attempt = 1;
    uint64_t id = 0;
  };
  struct Part {
    uint64_t serial = 0;
    std::vector<Rec> recs;
    bool revoking = false;
    bool blocked = false;
    absl::Time blocked_until;
    size_t limit = 0;  // of a slow start; 0: none
    absl::Time doubles_at;
    Offset position = kNoOffset;
    bool position_void = false;
    Offset sent = kNoOffset;
    Offset best = kNoOffset;  // the highest watermark so far
    Offset confirmed = kNoOffset;
    bool readable = true;
    uint64_t head_id = 0;
    absl::Time head_since;
  };
  struct Pending {
    uint64_t id = 0;
    std::vector<TopicPartition> tps;
    absl::Time deadline;
    bool released = false;
  };
  using Parts = std::map<TopicPartition, Part>;

  void Take(const Assigned& event);
  void Take(const Revoked& event);
  void Take(const Polled& event);
  void Take(const PositionReached& event);
  void Take(const Acked& event);
  void Take(const Released& event);
  void Take(const CommitSettled& event);
  void Take(const Drain& event);
  void Take(const ClientDone& event);
  void Take(const Tick&) {}

  void RunTimers();
  FailureOutcome FailRecord(const TopicPartition& tp, Part& part, size_t index, const std::string& error,
                            bool stopping);
  void BeginDrain(DrainCause cause, absl::Duration timeout);
  void DropHeld(Part& part);
  void Forget(const TopicPartition& tp);
  std::vector<PartitionOffset> FinishPending(size_t index);
  // Expects FinishRevoke and Finish where they are due.
  void ExpectEnds();

  void CheckActions(const std::vector<Action>& actions);
  void CheckDeliver(const Deliver& deliver);
  void CheckNothingWithheld();
  void CheckCommit();
  void CheckCounts(const DeliveryMachine& machine);
  void Wrong(const std::string& what);

  std::pair<Part*, Rec*> FindOpen(uint64_t id, TopicPartition* tp);
  size_t OpenCount() const;
  size_t OpenCount(const Part& part) const;
  size_t OpenBytes() const;
  bool Admits(size_t size) const;
  static bool Holds(const Part& part);
  bool HasRoom() const;
  void OpenWindow();
  // After something was released.
  void LookAtWindow(size_t open_before);
  // Records that wait may have found the window too small for the first of them.
  void NoteRefused();
  bool MayDeliver(const Part& part) const;
  // The watermark; kNoOffset when there is nothing to commit.
  Offset Committable(const Part& part) const;
  void AppendFinal(const TopicPartition& tp, const Part& part, std::vector<PartitionOffset>& out) const;

  const MachineOptions options_;
  absl::Time now_ = absl::InfinitePast();
  Parts parts_;
  std::vector<Pending> pending_;
  std::vector<PartitionOffset> wire_;
  std::map<TopicPartition, uint64_t> wire_serials_;
  bool wire_busy_ = false;
  std::map<TopicPartition, Offset> last_;
  uint64_t next_id_ = 1, next_serial_ = 1, last_revocation_ = 0;
  uint64_t acked_ = 0, nacked_ = 0, skipped_ = 0, retried_ = 0, stale_ = 0;
  // The window was used up: surely, or by a record that may have been next.
  bool shut_ = false, maybe_shut_ = false;
  absl::Time reopens_at_ = absl::InfiniteFuture();
  bool draining_ = false, client_done_ = false, finished_ = false;
  DrainCause cause_ = DrainCause::kClient;
  absl::Time drain_deadline_;
  // Actions that must come, as text, in order by kind.
  std::vector<std::string> failures_, withdraws_, finish_revokes_, finishes_, commits_;
  std::optional<PartitionOffset> failed_record_;
  std::string failed_error_;
  std::string wrong_;
};

}  // namespace datapy_kafka::delivery
