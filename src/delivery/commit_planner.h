// Group commit: one request on the wire, what advances meanwhile merges into
// the next, what failed for a passing reason is tried again.
//
// Owned by a DeliveryMachine. Remembers the last confirmed commit of every
// partition, also of those that have been given up.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "datapy_kafka/base/types.h"
#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::delivery {

class CommitPlanner {
 public:
  // Position `offset` of the assignment `epoch` may be committed. Offsets of
  // one assignment only grow.
  void Offer(const PartitionOffset& position, Epoch epoch);

  // The partition is given up: nothing of it is sent any more.
  void Drop(const TopicPartition& tp);

  // What to send now, sorted; empty while a request is on the wire.
  std::vector<PartitionOffset> Take();

  // The request's outcome. Returns what is now confirmed, with its assignment.
  // What was sent and is not spoken of is tried again.
  struct Confirmation {
    TopicPartition tp;
    Offset offset;
    Epoch epoch;
  };
  std::vector<Confirmation> Settle(const std::vector<SettledCommit>& outcomes);

  // Sorted.
  std::vector<PartitionOffset> last_commits() const;

 private:
  struct Plan {
    PartitionOffset position;
    Epoch epoch;
    bool dropped = false;
  };
  using Plans = std::map<TopicPartition, Plan>;

  void PutBack(Plan plan);

  Plans pending_;
  Plans sent_;
  bool on_the_wire_ = false;
  std::map<TopicPartition, PartitionOffset> last_;
};

}  // namespace datapy_kafka::delivery
