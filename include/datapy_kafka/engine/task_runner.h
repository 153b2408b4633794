// Runs a few blocking tasks at once, off the threads that must not block.
//
//   TaskRunner runner(8);
//   if (!runner.Run([] { ... })) refuse;
//
// Thread-safe. The destructor waits for the tasks that run.
#pragma once

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace datapy_kafka::engine {

class TaskRunner {
 public:
  // `capacity`: the most tasks at once.
  explicit TaskRunner(size_t capacity) : capacity_(capacity) {}
  ~TaskRunner();

  TaskRunner(const TaskRunner&) = delete;
  TaskRunner& operator=(const TaskRunner&) = delete;

  // Starts a task on a thread of its own; false, and the task untouched, when
  // `capacity` of them run already.
  [[nodiscard]] bool Run(absl::AnyInvocable<void()>& task);

 private:
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_ == 0; }

  const size_t capacity_;
  absl::Mutex mutex_;
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace datapy_kafka::engine
