// The credits of a session: how many records and bytes may be open at once.
//
// Plain counters, owned by a DeliveryMachine. One record of any size is always
// admitted when nothing else is open, so that a large one cannot stand still.
#pragma once

#include <algorithm>
#include <cstddef>

namespace datapy_kafka::delivery {

class InflightWindow {
 public:
  InflightWindow(size_t max_records, size_t max_bytes)
      : max_records_(std::max<size_t>(max_records, 1)), max_bytes_(max_bytes) {}

  bool Admits(size_t size_bytes) const {
    if (records_ == 0) return true;
    return records_ < max_records_ && bytes_ <= max_bytes_ && size_bytes <= max_bytes_ - bytes_;
  }
  void Take(size_t size_bytes) {
    ++records_;
    bytes_ += size_bytes;
  }
  // Gives back what Take took.
  void Release(size_t size_bytes) {
    --records_;
    bytes_ -= size_bytes;
  }

  size_t records() const { return records_; }
  size_t bytes() const { return bytes_; }
  size_t max_records() const { return max_records_; }
  size_t max_bytes() const { return max_bytes_; }
  size_t free_records() const { return records_ < max_records_ ? max_records_ - records_ : 0; }
  // At least 1 when nothing is open, whatever the limit.
  size_t free_bytes() const {
    const size_t free = bytes_ < max_bytes_ ? max_bytes_ - bytes_ : 0;
    return records_ == 0 ? std::max<size_t>(free, 1) : free;
  }

 private:
  const size_t max_records_;
  const size_t max_bytes_;
  size_t records_ = 0;
  size_t bytes_ = 0;
};

}  // namespace datapy_kafka::delivery
