// Tells ThreadSanitizer of absl::Notification and absl::BlockingCounter.
//
// As absl_mutex.cc does, and for its reason: whoever counts and is not the last,
// and whoever comes when it has been notified, takes no lock. Part of the preset
// "tsan" alone.
#include <sanitizer/tsan_interface.h>

#include <atomic>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "next.h"

namespace absl {
ABSL_NAMESPACE_BEGIN

using datapy_kafka::tsan::Address;
using datapy_kafka::tsan::Next;

void Notification::Notify() {
  using Real = void (*)(Notification*);
  static Real cached = nullptr;
  __tsan_release(&notified_yet_);
  Next(Address(&Notification::Notify), &cached)(this);
}

void Notification::WaitForNotification() const {
  using Real = void (*)(const Notification*);
  static Real cached = nullptr;
  Next(Address(&Notification::WaitForNotification), &cached)(this);
  __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  using Real = bool (*)(const Notification*, Duration);
  static Real cached = nullptr;
  const bool notified = Next(Address(&Notification::WaitForNotificationWithTimeout), &cached)(this, timeout);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  using Real = bool (*)(const Notification*, Time);
  static Real cached = nullptr;
  const bool notified = Next(Address(&Notification::WaitForNotificationWithDeadline), &cached)(this, deadline);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  using Real = bool (*)(BlockingCounter*);
  static Real cached = nullptr;
  __tsan_release(this);
  return Next(Address(&BlockingCounter::DecrementCount), &cached)(this);
}

void BlockingCounter::Wait() {
  using Real = void (*)(BlockingCounter*);
  static Real cached = nullptr;
  Next(Address(&BlockingCounter::Wait), &cached)(this);
  __tsan_acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
