// Ends librdkafka's pause after a partition's queue was full, as soon as the
// queue has been read down.
//
// Before librdkafka 2.2 (fetch.queue.backoff.ms) a broker's thread none of whose
// partitions may fetch, because their queues are full, sleeps up to a second,
// however soon they are read. Any request to that broker wakes it, so the
// partition's leader is asked for its offsets: on a thread of its own, as the
// call blocks. Owned by a Consumer and used on its thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/base/types.h"
#include "kafka/client.h"

namespace datapy_kafka::kafka {

// Whether this librdkafka needs it.
inline constexpr bool kNeedsFetchNudge = RD_KAFKA_VERSION < 0x020200ff;

// Sees from what is read of a partition when its broker may sleep without need.
//
// A queue that was full is read to its end within the next queue's worth: who
// has the broker woken at each half of one has done so while it slept. Lengths
// of the queue would not do, for one that fills and is read between two looks.
// At the log's end a broker waits for records and does not sleep, unless all of
// a queue has been read since: there a request would wait behind its fetch, and
// those of other partitions behind it.
class QueueWatch {
 public:
  // What a queue holds when librdkafka stops fetching for it.
  struct Limits {
    size_t records = 0;
    size_t bytes = 0;
  };

  explicit QueueWatch(const Limits& full) : full_(full) {}

  // Takes what was read, after which Asks has to be looked at.
  void Read(size_t records, size_t bytes) {
    read_.records += records;
    read_.bytes += bytes;
  }
  // Whether the broker is to be woken: half a queue has been read since the last
  // time. `at_end`, called then alone: nothing more is known to be in the log.
  template <typename AtEnd>
  bool Asks(AtEnd at_end) {
    if (!ReadShare(2)) return false;
    // A quarter is for bytes that librdkafka counts and a record does not have.
    const bool asks = ReadShare(4, 3) || !at_end();
    read_ = {};
    return asks;
  }

 private:
  bool ReadShare(size_t parts, size_t of_them = 1) const {
    return read_.records > full_.records / parts * of_them || read_.bytes > full_.bytes / parts * of_them;
  }

  Limits full_;
  Limits read_;
};

// Of this client's queues, as they are configured.
QueueWatch::Limits QueueLimits(rd_kafka_t* rk);

class FetchNudge {
 public:
  explicit FetchNudge(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  // Waits for a request that is on its way, 100 ms at most; the thread keeps the
  // client while it lasts.
  ~FetchNudge();

  FetchNudge(const FetchNudge&) = delete;
  FetchNudge& operator=(const FetchNudge&) = delete;

  // Has the partition's leader woken soon. Never blocks.
  void Ask(const TopicPartition& tp);

 private:
  // Shared with the thread, which may outlive this.
  struct State {
    absl::Mutex mutex;
    std::deque<TopicPartition> asked ABSL_GUARDED_BY(mutex);  // each once
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    bool serving ABSL_GUARDED_BY(mutex) = false;  // from the first Ask on
  };

  static void Serve(State* state, std::shared_ptr<Client> client);
  static bool NotServing(State* state) ABSL_SHARED_LOCKS_REQUIRED(state->mutex);
  static bool HasNews(State* state) ABSL_SHARED_LOCKS_REQUIRED(state->mutex);

  const std::shared_ptr<Client> client_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace datapy_kafka::kafka
