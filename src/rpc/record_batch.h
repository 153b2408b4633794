// Deliveries that travel in one frame, and the two ways to encode them.
//
// Filled by the outbox, used on the thread that writes.
#pragma once

#include <cstddef>
#include <vector>

#include "datapy_kafka/base/types.h"
#include "datapy_kafka/ports/session.h"

namespace datapy_kafka::rpc {

// Deliveries with consecutive ids from `first_id`, as runs of one partition.
struct RecordBatch {
  struct Run {
    TopicPartition tp;
    std::vector<ports::Delivery> deliveries;
  };
  DeliveryId first_id;
  std::vector<Run> runs;
  size_t records = 0;

  void Clear() {
    runs.clear();
    records = 0;
  }
};

}  // namespace datapy_kafka::rpc
