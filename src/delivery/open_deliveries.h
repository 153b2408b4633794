// The deliveries of a session that are neither acked nor resolved.
//
// Found by id, and linked in order for each partition. Opening, finding and
// closing one costs the same whatever the window, and memory follows what is
// open, not the distance between the oldest id and the newest: ids are indexed
// in chunks of 64, and a chunk is freed with its last open id. Owned by a
// DeliveryMachine.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"
#include "delivery/partition_tracker.h"

namespace datapy_kafka::delivery {

struct PartitionState;

// Names an open delivery until it is closed.
using OpenRef = uint32_t;
inline constexpr OpenRef kNoOpen = ~OpenRef{0};

struct OpenDelivery {
  DeliveryId id;
  Offset offset;
  int32_t leader_epoch = kNoLeaderEpoch;
  int32_t previous_epoch = kNoLeaderEpoch;
  uint32_t attempt = 1;
  OpenRef older = kNoOpen;
  OpenRef newer = kNoOpen;
  size_t size_bytes = 0;
  absl::Time delivered_at;
  PartitionState* partition = nullptr;
  std::shared_ptr<const void> payload;  // null unless it may be delivered again

  Watermark before() const { return {offset, previous_epoch}; }
};

// The open deliveries of one partition, oldest first.
struct OpenList {
  OpenRef oldest = kNoOpen;
  OpenRef newest = kNoOpen;
  size_t size = 0;
};

class OpenDeliveries {
 public:
  // Takes the next id and appends to `list`. Links and id are filled in here.
  OpenRef Open(OpenList& list, OpenDelivery delivery);
  void Close(OpenList& list, OpenRef ref);

  OpenDelivery& at(OpenRef ref) { return slots_[ref]; }
  const OpenDelivery& at(OpenRef ref) const { return slots_[ref]; }

  OpenRef Find(DeliveryId id) const;
  // The one with the lowest id, which is open longest.
  OpenRef Oldest() const;
  // The id that the next delivery gets.
  DeliveryId next_id() const { return next_id_; }
  size_t size() const { return slots_.size() - free_.size(); }

  // Calls visit(ref) for the open ids of first..last; visit may close that one.
  // Costs what is open there, not the length of the range.
  template <typename Visit>
  void VisitRange(DeliveryId first, DeliveryId last, Visit visit);

 private:
  static constexpr int kChunkBits = 6;
  struct Chunk {
    uint64_t live = 0;
    OpenRef refs[1 << kChunkBits];
  };
  static int Place(DeliveryId id) { return static_cast<int>(id.value() & ((1 << kChunkBits) - 1)); }

  std::vector<OpenDelivery> slots_;
  std::vector<OpenRef> free_;
  std::map<uint64_t, Chunk> chunks_;  // by id >> kChunkBits; none is without a live id
  DeliveryId next_id_{1};
};

template <typename Visit>
void OpenDeliveries::VisitRange(DeliveryId first, DeliveryId last, Visit visit) {
  if (first > last) return;
  auto it = chunks_.lower_bound(first.value() >> kChunkBits);
  while (it != chunks_.end() && it->first <= last.value() >> kChunkBits) {
    const auto current = it++;  // visit may free it with its last open id
    uint64_t live = current->second.live;
    if (current->first == first.value() >> kChunkBits) live &= ~uint64_t{0} << Place(first);
    if (current->first == last.value() >> kChunkBits) live &= ~uint64_t{0} >> (63 - Place(last));
    while (live != 0) {
      const OpenRef ref = current->second.refs[std::countr_zero(live)];
      live &= live - 1;
      visit(ref);
    }
  }
}

}  // namespace datapy_kafka::delivery
