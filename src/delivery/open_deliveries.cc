#include "delivery/open_deliveries.h"

#include <iterator>
#include <utility>

namespace datapy_kafka::delivery {

OpenRef OpenDeliveries::Open(OpenList& list, OpenDelivery delivery) {
  const DeliveryId id = next_id_;
  ++next_id_;
  delivery.id = id;
  delivery.older = list.newest;
  delivery.newer = kNoOpen;

  OpenRef ref;
  if (free_.empty()) {
    ref = static_cast<OpenRef>(slots_.size());
    slots_.push_back(std::move(delivery));
  } else {
    ref = free_.back();
    free_.pop_back();
    slots_[ref] = std::move(delivery);
  }

  (list.newest == kNoOpen ? list.oldest : slots_[list.newest].newer) = ref;
  list.newest = ref;
  ++list.size;

  const uint64_t chunk = id.value() >> kChunkBits;
  auto it = chunks_.empty() ? chunks_.end() : std::prev(chunks_.end());
  if (it == chunks_.end() || it->first != chunk) it = chunks_.emplace_hint(chunks_.end(), chunk, Chunk{});
  it->second.live |= uint64_t{1} << Place(id);
  it->second.refs[Place(id)] = ref;
  return ref;
}

void OpenDeliveries::Close(OpenList& list, OpenRef ref) {
  OpenDelivery& delivery = slots_[ref];
  (delivery.older == kNoOpen ? list.oldest : slots_[delivery.older].newer) = delivery.newer;
  (delivery.newer == kNoOpen ? list.newest : slots_[delivery.newer].older) = delivery.older;
  --list.size;

  const auto it = chunks_.find(delivery.id.value() >> kChunkBits);
  it->second.live &= ~(uint64_t{1} << Place(delivery.id));
  if (it->second.live == 0) chunks_.erase(it);

  delivery.payload.reset();
  delivery.partition = nullptr;
  free_.push_back(ref);
}

OpenRef OpenDeliveries::Find(DeliveryId id) const {
  const auto it = chunks_.find(id.value() >> kChunkBits);
  if (it == chunks_.end() || (it->second.live >> Place(id) & 1) == 0) return kNoOpen;
  return it->second.refs[Place(id)];
}

OpenRef OpenDeliveries::Oldest() const {
  if (chunks_.empty()) return kNoOpen;
  const Chunk& chunk = chunks_.begin()->second;
  return chunk.refs[std::countr_zero(chunk.live)];
}

}  // namespace datapy_kafka::delivery
