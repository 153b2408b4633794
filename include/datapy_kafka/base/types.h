// Strong types for the numbers that a mix-up would turn into data loss.
//
//   Offset next = Offset(41) + 1;        // arithmetic with plain counts only
//   DeliveryId id(next.value());         // the only way from one to another
//
// All are plain values: copy freely, use on any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

namespace datapy_kafka {

// An integer that only mixes with its own kind. `Tag` tells kinds apart.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using Value = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  constexpr auto operator<=>(const StrongInt&) const = default;

  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }
  friend constexpr StrongInt operator+(StrongInt a, Rep count) { return StrongInt(a.value_ + count); }
  friend constexpr StrongInt operator-(StrongInt a, Rep count) { return StrongInt(a.value_ - count); }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) { return a.value_ - b.value_; }

  friend std::ostream& operator<<(std::ostream& out, StrongInt a) { return out << a.value_; }

  template <typename H>
  friend H AbslHashValue(H h, StrongInt a) {
    return H::combine(std::move(h), a.value_);
  }

 private:
  Rep value_ = 0;
};

// A place in a partition. Of a commit: the record to read next (KIP-320).
using Offset = StrongInt<struct OffsetTag, int64_t>;
// Counts a session's deliveries, from 1. Never used again within a session.
using DeliveryId = StrongInt<struct DeliveryIdTag, uint64_t>;
// Counts a session's assignments: what belongs to an earlier one is stale.
using Epoch = StrongInt<struct EpochTag, uint64_t>;

// No offset is known.
inline constexpr Offset kNoOffset{-1};
// The record's leader epoch is not known (librdkafka < 2.1).
inline constexpr int32_t kNoLeaderEpoch = -1;

// A partition of a topic.
struct TopicPartition {
  std::string topic;
  int32_t partition = 0;

  auto operator<=>(const TopicPartition&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const TopicPartition& tp) {
    return H::combine(std::move(h), tp.topic, tp.partition);
  }
};

// "orders[3]", as logs and errors name it.
std::string ToString(const TopicPartition& tp);
std::ostream& operator<<(std::ostream& out, const TopicPartition& tp);

// A place in a partition, with the leader epoch when the library has it.
struct PartitionOffset {
  TopicPartition tp;
  Offset offset = kNoOffset;
  int32_t leader_epoch = kNoLeaderEpoch;

  bool operator==(const PartitionOffset&) const = default;
};

}  // namespace datapy_kafka
