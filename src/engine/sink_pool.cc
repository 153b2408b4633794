#include "datapy_kafka/engine/sink_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::engine {
namespace {

// Properties hold no secrets: the rules of config refuse those that would.
std::string KeyOf(const config::ConnectionOptions& connection, const config::Properties& properties) {
  std::string key = connection.Fingerprint();
  for (const auto& [name, value] : properties) absl::StrAppend(&key, "\n", name, "=", value);
  return key;
}

}  // namespace

SinkPool::SinkPool(SinkFactory factory, size_t max_sinks, const Clock* clock)
    : factory_(std::move(factory)), max_sinks_(max_sinks), clock_(clock) {}

absl::StatusOr<PooledSink> SinkPool::EvictIdle() {
  if (entries_.size() < max_sinks_) return PooledSink{};
  // Rather one whose jobs know of all that failed: what another has not told is
  // in the log alone.
  auto oldest = entries_.end();
  std::pair<bool, absl::Time> lowest;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const ports::ProducerStatus status = it->second.pooled.status();
    if (status.queued_records > 0 || it->second.pooled.sink.use_count() > 1) continue;
    const std::pair ranked(status.untold_failures > 0, it->second.last_used);
    if (oldest == entries_.end() || ranked < lowest) {
      oldest = it;
      lowest = ranked;
    }
  }
  if (oldest == entries_.end()) {
    return ErrorBuilder(ErrorReason::kResourceExhausted)
        .Build(
            absl::StrCat("the daemon holds ", entries_.size(),
                         " producers, its limits.max_producers, and all are busy; use one connection for what "
                         "belongs together, or raise the limit"));
  }
  CountClosed(oldest->second.pooled.status());
  PooledSink evicted = std::move(oldest->second.pooled);
  entries_.erase(oldest);
  return evicted;
}

absl::StatusOr<std::shared_ptr<ports::RecordSink>> SinkPool::Get(const config::ConnectionOptions& connection,
                                                                 const config::Properties& properties) {
  const std::string key = KeyOf(connection, properties);
  absl::StatusOr<PooledSink> evicted = PooledSink{};  // closed after the lock is released
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    found->second.last_used = clock_->Now();
    return found->second.pooled.sink;
  }
  if (closed_) {
    return ErrorBuilder(ErrorReason::kShuttingDown).Build("the daemon is stopping; send again to the next one");
  }
  evicted = EvictIdle();
  if (!evicted.ok()) return evicted.status();
  absl::StatusOr<PooledSink> made = factory_(connection, properties);
  if (!made.ok()) return made.status();
  return entries_.emplace(key, Entry{*std::move(made), clock_->Now()}).first->second.pooled.sink;
}

void SinkPool::Discard(const std::shared_ptr<ports::RecordSink>& sink) {
  PooledSink discarded;
  absl::MutexLock lock(&mutex_);
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.pooled.sink == sink) {
      CountClosed(it->second.pooled.status());
      discarded = std::move(it->second.pooled);
      entries_.erase(it);
      return;
    }
  }
}

uint64_t SinkPool::FlushAndClose(absl::Duration timeout) {
  std::map<std::string, Entry> entries;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    entries.swap(entries_);
  }
  const absl::Time deadline = clock_->Now() + timeout;
  uint64_t left = 0;
  for (auto& [key, entry] : entries) {
    if (!entry.pooled.sink->Flush(std::max(absl::ZeroDuration(), deadline - clock_->Now()))) {
      left += entry.pooled.status().queued_records;
    }
  }
  return left;
}

void SinkPool::CountClosed(const ports::ProducerStatus& last) {
  const bool fits = closed_sums_.count(last.connection) != 0 || closed_sums_.size() < ports::kMaxEndedNames;
  const std::string name = fits ? last.connection : ports::kOtherNames;
  ports::ProducerStatus& sum = closed_sums_[name];
  sum.connection = name;
  sum.delivered += last.delivered;
  sum.failed += last.failed;
  sum.delivered_bytes += last.delivered_bytes;
}

std::vector<ports::ProducerStatus> SinkPool::OpenProducers() const {
  std::vector<ports::ProducerStatus> statuses;
  for (const auto& [key, entry] : entries_) statuses.push_back(entry.pooled.status());
  return statuses;
}

std::vector<ports::ProducerStatus> SinkPool::Status() const {
  absl::MutexLock lock(&mutex_);
  return OpenProducers();
}

void SinkPool::Describe(ports::DaemonStatus* status) const {
  absl::MutexLock lock(&mutex_);
  status->producers = OpenProducers();
  for (const auto& [name, sum] : closed_sums_) status->closed_producers.push_back(sum);
}

}  // namespace datapy_kafka::engine
