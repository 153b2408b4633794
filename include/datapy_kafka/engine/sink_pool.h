// The daemon's producers: one for each connection and set of properties, made
// when first asked for and kept.
//
//   SinkPool pool(factory, limits);
//   auto sink = pool.Get(connection, properties);   // StatusOr<shared_ptr>
//   (*sink)->Produce(std::move(batch), done);
//
// Thread-safe. Owned by main; flushed and closed before it is destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/clock.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_sink.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::engine {

// A sink with its counts; the function is valid as long as the sink.
struct PooledSink {
  std::shared_ptr<ports::RecordSink> sink;
  std::function<ports::ProducerStatus()> status;
};

using SinkFactory =
    std::function<absl::StatusOr<PooledSink>(const config::ConnectionOptions&, const config::Properties&)>;

class SinkPool {
 public:
  // `max_sinks`: producers kept at once; beyond it the one that was not used
  // for the longest time is closed if it is idle, else Get fails.
  SinkPool(SinkFactory factory, size_t max_sinks, const Clock* clock = &Clock::Steady());

  SinkPool(const SinkPool&) = delete;
  SinkPool& operator=(const SinkPool&) = delete;

  // The producer for this login. Errors: kResourceExhausted, kShuttingDown, and
  // the factory's.
  absl::StatusOr<std::shared_ptr<ports::RecordSink>> Get(const config::ConnectionOptions& connection,
                                                         const config::Properties& properties);

  // Forgets a sink that is of no more use (a fatal error): the next Get makes
  // a new one. Those who hold it keep it until they let go.
  void Discard(const std::shared_ptr<ports::RecordSink>& sink);

  // Refuses further Gets, waits until all is delivered, `timeout` at most for
  // all of them together, then closes them. The number of records left.
  uint64_t FlushAndClose(absl::Duration timeout);

  std::vector<ports::ProducerStatus> Status() const;
  // Fills in the producers, open and closed, as of one moment.
  void Describe(ports::DaemonStatus* status) const;

 private:
  struct Entry {
    PooledSink pooled;
    absl::Time last_used;
  };

  void CountClosed(const ports::ProducerStatus& last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<ports::ProducerStatus> OpenProducers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes room for one more; closes the returned sink outside of the lock.
  absl::StatusOr<PooledSink> EvictIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SinkFactory factory_;
  const size_t max_sinks_;
  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by fingerprint
  // Sums over those that are no longer kept, by connection.
  std::map<std::string, ports::ProducerStatus> closed_sums_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace datapy_kafka::engine
