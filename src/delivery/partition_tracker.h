// The watermark of one partition during one assignment: how far it may be
// committed, and how far it was.
//
// Works on offsets that were delivered, never on offsets that ought to exist:
// compaction, aborted transactions and control records leave holes. The open
// deliveries themselves are kept by OpenDeliveries; the tracker is told of the
// first of them. Owned by a DeliveryMachine.
#pragma once

#include <cstdint>
#include <optional>

#include "datapy_kafka/base/types.h"

namespace datapy_kafka::delivery {

// An offset to commit, with the leader epoch of the record before it.
struct Watermark {
  Offset offset = kNoOffset;
  int32_t leader_epoch = kNoLeaderEpoch;

  bool operator==(const Watermark&) const = default;
};

class PartitionTracker {
 public:
  // A record goes out for the first time, in the order of the partition. Returns
  // the leader epoch of the one before it, which belongs to the watermark that
  // stops in front.
  int32_t Deliver(Offset offset, int32_t leader_epoch);

  // The record at `at` stays unresolved for the rest of the assignment.
  void Leave(Watermark at);

  // Everything before `position` has been read.
  void ReadUpTo(Offset position);
  // Records that were read will never be delivered: positions mean nothing now.
  void ForgetPosition() { position_ = kNoOffset; }

  // How far may be committed. `unresolved`: the watermark in front of the first
  // record that was delivered and is not resolved. `held_back`: records were
  // read but not delivered yet.
  Watermark Committable(std::optional<Watermark> unresolved, bool held_back) const;

  // Whether `mark` is news to what was offered to a commit, or confirmed.
  bool IsNew(Watermark mark) const { return mark.offset > offered_.offset; }
  bool IsUnconfirmed(Watermark mark) const { return mark.offset > confirmed_; }
  void Offered(Watermark mark) { offered_ = mark; }
  void Confirmed(Offset offset);
  Offset confirmed() const { return confirmed_; }
  // The first delivered offset; kNoOffset before one.
  Offset floor() const { return floor_; }

 private:
  Watermark tail_;                    // behind the last delivered record
  std::optional<Watermark> ceiling_;  // in front of the lowest record that was left
  Offset position_ = kNoOffset;
  Offset floor_ = kNoOffset;  // the first delivered offset
  Watermark offered_;
  Offset confirmed_ = kNoOffset;
};

}  // namespace datapy_kafka::delivery
