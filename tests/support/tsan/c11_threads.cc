// C11's threads, which librdkafka uses, as ThreadSanitizer knows them: POSIX's.
//
// GCC's sanitizer does not know thrd_create and has no state for the threads
// that it makes; their first access to memory that is watched ends the program.
// In glibc the two are the same under other names. Part of the preset "tsan"
// alone.
#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <cstdint>
#include <memory>

namespace {

int Result(int error) { return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error; }

struct Begin {
  thrd_start_t function;
  void* argument;
};

void* Run(void* given) {
  const std::unique_ptr<Begin> begin(static_cast<Begin*>(given));
  return reinterpret_cast<void*>(static_cast<intptr_t>(begin->function(begin->argument)));
}

}  // namespace

extern "C" {

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  auto begin = std::make_unique<Begin>(Begin{function, argument});
  const int error = pthread_create(thread, nullptr, &Run, begin.get());
  if (error == 0) (void)begin.release();  // Run took it
  return Result(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* returned = nullptr;
  const int error = pthread_join(thread, &returned);
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<intptr_t>(returned));
  return Result(error);
}

}  // extern "C"
