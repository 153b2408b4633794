// One partition of the current assignment: its watermark, its open deliveries
// and the records that wait for credits or for the end of a backoff.
//
// Owned by a DeliveryMachine; its address is stable until it is given up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"
#include "delivery/open_deliveries.h"
#include "delivery/partition_tracker.h"

namespace datapy_kafka::delivery {

// A record that was polled and is not delivered, or was taken back.
struct HeldRecord {
  Offset offset;
  int32_t leader_epoch = kNoLeaderEpoch;
  bool taken_back = false;
  int32_t previous_epoch = kNoLeaderEpoch;  // taken back
  uint32_t attempt = 1;
  size_t size_bytes = 0;
  std::shared_ptr<const void> payload;
};

inline constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

struct PartitionState {
  PartitionState(TopicPartition partition, Epoch assignment) : tp(std::move(partition)), epoch(assignment) {}

  const TopicPartition tp;
  Epoch epoch;  // a new one when reading starts over

  PartitionTracker tracker;
  OpenList open;
  std::deque<HeldRecord> held;
  size_t held_bytes = 0;
  Offset read_to = kNoOffset;  // everything before it was polled or does not exist

  bool revoking = false;  // no more deliveries; the revocation decides
  bool readable = true;   // as the engine was last told
  bool in_backoff = false;
  // Slow start: how many may be open. What is delivered behind a record that
  // fails again is taken back in vain, so that follows what goes well.
  size_t max_open = kNoLimit;
  // The end of the backoff, or the next step of the slow start.
  absl::Time alarm;
  bool has_alarm = false;

  // Which of the machine's lists it stands in.
  bool is_touched = false;
  bool is_ready = false;

  // ack_timeout: the oldest open delivery and since when it is the oldest.
  DeliveryId head;
  absl::Time head_since;
  bool has_head = false;
  std::list<PartitionState*>::iterator head_place;

  bool may_deliver() const { return !held.empty() && !in_backoff && open.size < max_open; }
};

}  // namespace datapy_kafka::delivery
