#include "delivery/partition_tracker.h"

#include <algorithm>

namespace datapy_kafka::delivery {

int32_t PartitionTracker::Deliver(Offset offset, int32_t leader_epoch) {
  if (tail_.offset == kNoOffset) floor_ = offset;
  const int32_t previous = tail_.leader_epoch;
  tail_ = {offset + 1, leader_epoch};
  return previous;
}

void PartitionTracker::Leave(Watermark at) {
  if (!ceiling_ || at.offset < ceiling_->offset) ceiling_ = at;
}

void PartitionTracker::ReadUpTo(Offset position) { position_ = std::max(position_, position); }

Watermark PartitionTracker::Committable(std::optional<Watermark> unresolved, bool held_back) const {
  Watermark mark = unresolved.value_or(tail_);
  if (!unresolved && !held_back) mark.offset = std::max(mark.offset, position_);
  if (ceiling_ && ceiling_->offset < mark.offset) mark = *ceiling_;
  // Up to the first delivered record there is nothing resolved.
  if (mark.offset <= floor_) mark = {};
  // What could be committed once still can.
  return mark.offset < offered_.offset ? offered_ : mark;
}

void PartitionTracker::Confirmed(Offset offset) { confirmed_ = std::max(confirmed_, offset); }

}  // namespace datapy_kafka::delivery
