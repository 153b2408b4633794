#include "datapy_kafka/engine/task_runner.h"

#include <thread>
#include <utility>

namespace datapy_kafka::engine {

TaskRunner::~TaskRunner() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &TaskRunner::Idle));
}

bool TaskRunner::Run(absl::AnyInvocable<void()>& task) {
  {
    absl::MutexLock lock(&mutex_);
    if (running_ >= capacity_) return false;
    ++running_;
  }
  // Detached: what it touches of this object ends with the count, under the
  // lock that the destructor takes.
  std::thread([this, task = std::move(task)]() mutable {
    task();
    task = nullptr;
    absl::MutexLock lock(&mutex_);
    --running_;
  }).detach();
  return true;
}

}  // namespace datapy_kafka::engine
