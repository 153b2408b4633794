// A bounded queue from many threads to one.
//
//   Mailbox<Event> mailbox(1024);
//   mailbox.Post(Event{...});                    // any thread, never blocks
//   for (Event& e : mailbox.Take(timeout)) ...   // the owner's thread
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace datapy_kafka {

template <typename T>
class Mailbox {
 public:
  // `capacity`: the most items that wait at once.
  explicit Mailbox(size_t capacity) : capacity_(capacity) {}

  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Adds an item; false, and the item dropped, when the mailbox is full.
  [[nodiscard]] bool Post(T item) {
    absl::MutexLock lock(&mutex_);
    if (items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // Everything that waits, oldest first. Sleeps until there is something, or
  // for `timeout`, and then returns an empty list.
  std::vector<T> Take(absl::Duration timeout) {
    std::vector<T> taken;
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &Mailbox::HasItems), timeout);
    taken.swap(items_);
    return taken;
  }

 private:
  bool HasItems() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !items_.empty(); }

  const size_t capacity_;
  absl::Mutex mutex_;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace datapy_kafka
