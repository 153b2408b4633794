#include "kafka/fetch_nudge.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace datapy_kafka::kafka {
namespace {

// The sending is what wakes; the answer may be behind a fetch that waits for
// records, and a session's end would wait for it too.
constexpr int kRequestTimeoutMs = 50;
// The least time between two requests.
constexpr absl::Duration kPause = absl::Milliseconds(2);

}  // namespace

FetchNudge::~FetchNudge() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void FetchNudge::Ask(const TopicPartition& tp) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::find(asked_.begin(), asked_.end(), tp) != asked_.end()) return;
    asked_.push_back(tp);
  }
  if (!thread_.joinable()) thread_ = std::thread(&FetchNudge::Serve, this);
}

void FetchNudge::Serve() {
  absl::MutexLock lock(&mutex_);
  const auto has_news = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !asked_.empty(); };
  for (;;) {
    mutex_.Await(absl::Condition(&has_news));
    if (stopping_) return;
    const TopicPartition tp = std::move(asked_.front());
    asked_.pop_front();
    mutex_.Unlock();
    // The answer, an error too, is of no interest: the request itself wakes.
    int64_t low = 0;
    int64_t high = 0;
    (void)rd_kafka_query_watermark_offsets(client_->rk(), tp.topic.c_str(), tp.partition, &low, &high,
                                           kRequestTimeoutMs);
    mutex_.Lock();
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kPause);
  }
}

}  // namespace datapy_kafka::kafka
