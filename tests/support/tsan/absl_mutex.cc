// Tells ThreadSanitizer of absl::Mutex and absl::CondVar.
//
// The distribution's Abseil is not instrumented: its mutex is atomic operations
// that the sanitizer does not see, and everything that a mutex guards would be
// reported as a race. These functions stand in front of the library's (the
// program is searched first), say what happens and call on. That holds for
// calls from gRPC as well. Part of the preset "tsan" alone.
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "next.h"

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

using datapy_kafka::tsan::Address;
using datapy_kafka::tsan::Next;

// Above zero inside the library, which calls its own functions here again:
// what it does in there has been told already.
thread_local int depth = 0;

struct Inside {
  Inside() { ++depth; }
  ~Inside() { --depth; }
};

void Acquired(void* mutex, unsigned flags = 0) { __tsan_mutex_post_lock(mutex, flags, 0); }

}  // namespace

// The library's function of the same name, as a function of its object.
#define DATAPY_KAFKA_NEXT(type, ...) \
  using Real = type;                 \
  static Real cached = nullptr;      \
  const Real real = Next(Address(__VA_ARGS__), &cached)

void Mutex::Lock() {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*), &Mutex::Lock);
  if (depth > 0) return real(this);
  const Inside inside;
  __tsan_mutex_pre_lock(this, 0);
  real(this);
  Acquired(this);
}

void Mutex::Unlock() {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*), &Mutex::Unlock);
  if (depth > 0) return real(this);
  const Inside inside;
  // Conditions of those who wait are looked at in here: the sanitizer ignores
  // this thread until post_unlock.
  __tsan_mutex_pre_unlock(this, 0);
  real(this);
  __tsan_mutex_post_unlock(this, 0);
}

bool Mutex::TryLock() {
  DATAPY_KAFKA_NEXT(bool (*)(Mutex*), &Mutex::TryLock);
  if (depth > 0) return real(this);
  const Inside inside;
  __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
  const bool taken = real(this);
  Acquired(this, taken ? __tsan_mutex_try_lock : __tsan_mutex_try_lock_failed);
  return taken;
}

void Mutex::ReaderLock() {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*), &Mutex::ReaderLock);
  if (depth > 0) return real(this);
  const Inside inside;
  __tsan_mutex_pre_lock(this, __tsan_mutex_read_lock);
  real(this);
  Acquired(this, __tsan_mutex_read_lock);
}

void Mutex::ReaderUnlock() {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*), &Mutex::ReaderUnlock);
  if (depth > 0) return real(this);
  const Inside inside;
  __tsan_mutex_pre_unlock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_unlock(this, __tsan_mutex_read_lock);
}

void Mutex::LockWhen(const Condition& condition) {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*, const Condition&), &Mutex::LockWhen);
  if (depth > 0) return real(this, condition);
  const Inside inside;
  __tsan_mutex_pre_lock(this, 0);
  real(this, condition);
  Acquired(this);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  DATAPY_KAFKA_NEXT(bool (*)(Mutex*, const Condition&, Duration), &Mutex::LockWhenWithTimeout);
  if (depth > 0) return real(this, condition, timeout);
  const Inside inside;
  __tsan_mutex_pre_lock(this, 0);
  const bool met = real(this, condition, timeout);
  Acquired(this);
  return met;
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  DATAPY_KAFKA_NEXT(bool (*)(Mutex*, const Condition&, Time), &Mutex::LockWhenWithDeadline);
  if (depth > 0) return real(this, condition, deadline);
  const Inside inside;
  __tsan_mutex_pre_lock(this, 0);
  const bool met = real(this, condition, deadline);
  Acquired(this);
  return met;
}

// While it waits the mutex is free.
void Mutex::Await(const Condition& condition) {
  DATAPY_KAFKA_NEXT(void (*)(Mutex*, const Condition&), &Mutex::Await);
  if (depth > 0) return real(this, condition);
  const Inside inside;
  __tsan_mutex_pre_unlock(this, 0);
  real(this, condition);
  __tsan_mutex_post_unlock(this, 0);
  __tsan_mutex_pre_lock(this, 0);
  Acquired(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  DATAPY_KAFKA_NEXT(bool (*)(Mutex*, const Condition&, Duration), &Mutex::AwaitWithTimeout);
  if (depth > 0) return real(this, condition, timeout);
  const Inside inside;
  __tsan_mutex_pre_unlock(this, 0);
  const bool met = real(this, condition, timeout);
  __tsan_mutex_post_unlock(this, 0);
  __tsan_mutex_pre_lock(this, 0);
  Acquired(this);
  return met;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  DATAPY_KAFKA_NEXT(bool (*)(Mutex*, const Condition&, Time), &Mutex::AwaitWithDeadline);
  if (depth > 0) return real(this, condition, deadline);
  const Inside inside;
  __tsan_mutex_pre_unlock(this, 0);
  const bool met = real(this, condition, deadline);
  __tsan_mutex_post_unlock(this, 0);
  __tsan_mutex_pre_lock(this, 0);
  Acquired(this);
  return met;
}

void CondVar::Wait(Mutex* mutex) {
  DATAPY_KAFKA_NEXT(void (*)(CondVar*, Mutex*), &CondVar::Wait);
  if (depth > 0) return real(this, mutex);
  const Inside inside;
  __tsan_mutex_pre_unlock(mutex, 0);
  real(this, mutex);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  Acquired(mutex);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  DATAPY_KAFKA_NEXT(bool (*)(CondVar*, Mutex*, Time), &CondVar::WaitWithDeadline);
  if (depth > 0) return real(this, mutex, deadline);
  const Inside inside;
  __tsan_mutex_pre_unlock(mutex, 0);
  const bool late = real(this, mutex, deadline);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  Acquired(mutex);
  return late;
}

#undef DATAPY_KAFKA_NEXT

ABSL_NAMESPACE_END
}  // namespace absl
