// The credits of a session: how many records and bytes may be open at once.
//
// Plain counters, owned by a DeliveryMachine. One record of any size is always
// admitted when nothing else is open, so that a large one cannot stand still.
// A window that was used up stays shut until a quarter of it is free: small
// credits would go round and round as small frames (RFC 813).
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
    if (shut_) return false;
    return records_ < max_records_ && bytes_ <= max_bytes_ && size_bytes <= max_bytes_ - bytes_;
  }
  void Take(size_t size_bytes) {
    ++records_;
    bytes_ += size_bytes;
    if (room_records() == 0 || room_bytes() == 0) shut_ = true;
  }
  // Gives back what Take took.
  void Release(size_t size_bytes) {
    --records_;
    bytes_ -= size_bytes;
    if (records_ == 0 || (room_records() >= max_records_ / 4 && room_bytes() >= max_bytes_ / 4)) shut_ = false;
  }
  // A record was not admitted.
  void Shut() { shut_ = true; }
  void Reopen() { shut_ = false; }
  // What was not admitted is gone. Returns whether that opens the window.
  bool ReopenIfRoom() {
    if (room_records() > 0 && room_bytes() > 0) shut_ = false;
    return !shut_;
  }

  bool shut() const { return shut_; }
  size_t records() const { return records_; }
  size_t bytes() const { return bytes_; }
  size_t max_records() const { return max_records_; }
  size_t max_bytes() const { return max_bytes_; }
  size_t free_records() const { return shut_ ? 0 : room_records(); }
  // At least 1 when nothing is open, whatever the limit.
  size_t free_bytes() const {
    if (records_ == 0) return std::max<size_t>(room_bytes(), 1);
    return shut_ ? 0 : room_bytes();
  }

 private:
  size_t room_records() const { return records_ < max_records_ ? max_records_ - records_ : 0; }
  size_t room_bytes() const { return bytes_ < max_bytes_ ? max_bytes_ - bytes_ : 0; }

  const size_t max_records_;
  const size_t max_bytes_;
  size_t records_ = 0;
  size_t bytes_ = 0;
  bool shut_ = false;
};

}  // namespace datapy_kafka::delivery
