// Ends librdkafka's pause after a partition's queue was full, as soon as the
// queue has been read down.
//
// Before librdkafka 2.2 (fetch.queue.backoff.ms) a broker's thread none of whose
// partitions may fetch, because their queues are full, sleeps up to a second,
// however soon they are read. Any request to that broker wakes it, so the
// partition's leader is asked for its offsets: on a thread of its own, as the
// call blocks. Owned by a Consumer and used on its thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/base/types.h"
#include "kafka/client.h"

namespace datapy_kafka::kafka {

// Whether this librdkafka needs it.
inline constexpr bool kNeedsFetchNudge = RD_KAFKA_VERSION < 0x020200ff;

// Sees from the lengths of a queue when its broker may sleep without need.
class QueueWatch {
 public:
  // Takes the present length; whether the queue has shrunk to half of what it
  // held at most since this was last true.
  bool Drained(size_t length) {
    most_ = std::max(most_, length);
    if (most_ < kFewest || length > most_ / 2) return false;
    most_ = length;
    return true;
  }

 private:
  // So little is no queue that stops the fetching.
  static constexpr size_t kFewest = 50;
  size_t most_ = 0;
};

class FetchNudge {
 public:
  // `client` outlives this.
  explicit FetchNudge(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  // Waits for a request that is on its way, 50 ms at most.
  ~FetchNudge();

  FetchNudge(const FetchNudge&) = delete;
  FetchNudge& operator=(const FetchNudge&) = delete;

  // Has the partition's leader woken soon. Never blocks.
  void Ask(const TopicPartition& tp);

 private:
  void Serve();

  const std::shared_ptr<Client> client_;
  std::thread thread_;  // from the first Ask on
  absl::Mutex mutex_;
  std::deque<TopicPartition> asked_ ABSL_GUARDED_BY(mutex_);  // each once
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace datapy_kafka::kafka
