// Writes what each open session has done and has to do, one line a session and
// interval, so that a log alone tells a quiet job from one that stands still.
//
//   SummaryLog summary(absl::Seconds(60), [&] { return Status(); });
//
// Owned by main; a thread of its own, which calls `snapshot`. Ends it when it
// is destroyed.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::telemetry {

class SummaryLog {
 public:
  // An interval of 0 writes nothing.
  SummaryLog(absl::Duration interval, std::function<ports::DaemonStatus()> snapshot);
  ~SummaryLog();

  SummaryLog(const SummaryLog&) = delete;
  SummaryLog& operator=(const SummaryLog&) = delete;

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<ports::DaemonStatus()> snapshot_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// The lines, for one moment.
std::vector<std::string> SummaryLines(const ports::DaemonStatus& status, absl::Time now);

}  // namespace datapy_kafka::telemetry
