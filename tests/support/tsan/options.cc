// How ThreadSanitizer runs, and what it cannot judge. Part of the preset "tsan".

extern "C" const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1"; }

// Libraries of the distribution, which are not instrumented: their memcpy and
// free are seen, and none of the atomic operations and locks that order them.
// What absl::Mutex orders, of theirs too, is told by absl_mutex.cc, and what gRPC
// orders by grpc/callbacks.cc. What our own code does when they call it is judged.
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
      // What a status carries is a cord, a count of references again.
      "called_from_lib:libabsl_cord.so\n"
      // Locks and objects go when a count of references says so.
      "called_from_lib:libcrypto.so\n"
      "called_from_lib:libssl.so\n"
      // The library drops its share of a logger as the process ends, and may be
      // the last: the count is its own, the end of the logger ours.
      "race:std::_Sp_counted_ptr_inplace<spdlog::logger, *>::_M_destroy\n"
      "race:std::_Sp_counted_ptr_inplace<spdlog::logger, *>::_M_dispose\n"
      // Of absl::Mutex itself, behind a spin lock.
      "called_from_lib:libabsl_graphcycles_internal.so\n";
}
