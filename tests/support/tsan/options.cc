// How ThreadSanitizer runs, and what it cannot judge. Part of the preset "tsan".

extern "C" const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1"; }

// Libraries of the distribution, which are not instrumented: their memcpy and
// free are seen, and none of the atomic operations and locks that order them.
// What absl::Mutex orders, of theirs too, is told by absl_mutex.cc. What our
// own code does when they call it is judged.
extern "C" const char* __tsan_default_suppressions() {
  return
      // Completion queues and slices go from thread to thread by atomics.
      "called_from_lib:libgrpc.so\n"
      "called_from_lib:libgrpc++.so\n"
      "called_from_lib:libgpr.so\n"
      // Its queues and reference counts use C11 mutexes and atomics.
      "called_from_lib:librdkafka.so\n"
      // Descriptors are made once behind an atomic.
      "called_from_lib:libprotobuf.so\n"
      // Time zones are made once behind an atomic.
      "called_from_lib:libabsl_time_zone.so\n"
      // Statuses are shared by a count of references, and read as text.
      "called_from_lib:libabsl_status.so\n"
      "called_from_lib:libabsl_strings.so\n"
      // Of absl::Mutex itself, behind a spin lock.
      "called_from_lib:libabsl_graphcycles_internal.so\n";
}
