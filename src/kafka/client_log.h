// librdkafka's log lines on their way to the daemon's log.
//
// A client that cannot connect says so several times a second: after the first
// lines of a kind in an interval the rest are counted and the count is told
// with the next one. Thread-safe; librdkafka's threads call it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace datapy_kafka::kafka {

class ClientLog {
 public:
  // `level`: syslog's. `facility`: librdkafka's short name of the event.
  void Line(int level, const char* facility, const char* text);

 private:
  struct Kind {
    absl::Time interval_began;
    int lines = 0;
    uint64_t suppressed = 0;
  };

  absl::Mutex mutex_;
  std::map<std::string, Kind> kinds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace datapy_kafka::kafka
