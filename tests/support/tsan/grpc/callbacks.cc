// Tells ThreadSanitizer how gRPC hands a call from thread to thread.
//
// The distribution's gRPC is not instrumented, and its headers are, with us: a
// tag that one thread gives to the library and that another gets from it would
// be a race, and all that a reactor holds with it. The functions here stand in
// front of the library's (the program is searched first), say which hand-over
// happens and call on. Each says what is so, and of one tag or call alone: two
// reactions that gRPC does not order stay a race. Part of the preset "tsan".
#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "../next.h"

namespace {

using datapy_kafka::tsan::Address;
using datapy_kafka::tsan::Next;
using grpc::internal::ServerCallbackCall;
using grpc::internal::ServerReactor;

void Fail(const char* why) {
  std::fprintf(stderr, "tsan: %s\n", why);
  std::abort();
}

// ---- which queues call back -------------------------------------------------

// The tags of a queue that calls back are functors; those of others may be
// anything. No lock and no instrumented atomic: they would order threads that
// nothing else orders.
constexpr int kMaxQueues = 256;
grpc_completion_queue* callback_queues[kMaxQueues];

__attribute__((no_sanitize("thread"))) bool Replace(grpc_completion_queue* from, grpc_completion_queue* to) {
  for (grpc_completion_queue*& each : callback_queues) {
    grpc_completion_queue* expected = from;
    if (__atomic_compare_exchange_n(&each, &expected, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return true;
  }
  return false;
}

__attribute__((no_sanitize("thread"))) bool CallsBack(const grpc_completion_queue* queue) {
  for (grpc_completion_queue*& each : callback_queues) {
    if (__atomic_load_n(&each, __ATOMIC_ACQUIRE) == queue) return true;
  }
  return false;
}

// ---- functors ---------------------------------------------------------------

// A functor has no place for what stood in it before, and there are only a few
// different ones: each has a function here that runs it.
using Run = void (*)(grpc_completion_queue_functor*, int);
constexpr int kMaxRuns = 8;
Run runs[kMaxRuns];

template <int n>
void AcquireAndRun(grpc_completion_queue_functor* functor, int ok) {
  __tsan_acquire(functor);
  runs[n](functor, ok);
}

template <int... n>
constexpr auto MakeWrappers(std::integer_sequence<int, n...> /*all*/) {
  return std::array<Run, sizeof...(n)>{&AcquireAndRun<n>...};
}
constexpr std::array<Run, kMaxRuns> kWrappers = MakeWrappers(std::make_integer_sequence<int, kMaxRuns>());

__attribute__((no_sanitize("thread"))) Run Wrapped(Run run) {
  for (int i = 0; i < kMaxRuns; ++i) {
    if (run == kWrappers[i]) return run;  // a tag that is used again
  }
  for (int i = 0; i < kMaxRuns; ++i) {
    Run found = nullptr;
    if (__atomic_compare_exchange_n(&runs[i], &found, run, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      found = run;
    if (found == run) return kWrappers[i];
  }
  Fail("more kinds of functors than expected");
  return run;
}

// Before the tag of `ops` goes to the library.
void Wrap(grpc::internal::CallOpSetInterface* ops, grpc::internal::Call* call) {
  if (!CallsBack(call->cq()->cq())) return;
  auto* functor = static_cast<grpc_completion_queue_functor*>(ops->core_cq_tag());
  functor->functor_run = Wrapped(functor->functor_run);
}

// ---- the count of what a call waits for -------------------------------------

// Lets a member that is private be named.
template <typename Tag, auto member>
struct Open {
  friend auto Opened(Tag) { return member; }
};
struct Outstanding {
  friend auto Opened(Outstanding);
};
template struct Open<Outstanding, &ServerCallbackCall::callbacks_outstanding_>;

// The library counts OnCancel off where it is not seen: what it did comes before
// OnDone.
class Cancelled final : public ServerReactor {
 public:
  Cancelled(ServerCallbackCall* call, ServerReactor* reactor) : call_(call), reactor_(reactor) {}

  void OnCancel() override {
    reactor_->OnCancel();
    __tsan_release(&(call_->*Opened(Outstanding())));
    delete this;
  }
  void OnDone() override {}

 private:
  ServerCallbackCall* const call_;
  ServerReactor* const reactor_;
};

}  // namespace

// The library's function of the same name.
#define DATAPY_KAFKA_NEXT(name)            \
  static decltype(&name) cached = nullptr; \
  const auto real = Next(#name, &cached)

extern "C" {

grpc_completion_queue* grpc_completion_queue_create(const grpc_completion_queue_factory* factory,
                                                    const grpc_completion_queue_attributes* attributes,
                                                    void* reserved) {
  DATAPY_KAFKA_NEXT(grpc_completion_queue_create);
  grpc_completion_queue* const queue = real(factory, attributes, reserved);
  if (attributes->cq_completion_type == GRPC_CQ_CALLBACK && !Replace(nullptr, queue)) {
    Fail("more completion queues than expected");
  }
  return queue;
}

void grpc_completion_queue_destroy(grpc_completion_queue* queue) {
  DATAPY_KAFKA_NEXT(grpc_completion_queue_destroy);
  Replace(queue, nullptr);
  real(queue);
}

// A tag goes to the library ...
grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  DATAPY_KAFKA_NEXT(grpc_call_start_batch);
  __tsan_release(tag);
  return real(call, ops, count, tag, reserved);
}

// ... and comes out of it: here, or as a functor that is run.
grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  DATAPY_KAFKA_NEXT(grpc_completion_queue_next);
  const grpc_event event = real(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline,
                                       void* reserved) {
  DATAPY_KAFKA_NEXT(grpc_completion_queue_pluck);
  const grpc_event event = real(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // extern "C"

#undef DATAPY_KAFKA_NEXT

namespace grpc {

// By their names, for the address of a virtual function is none.
void Server::PerformOpsOnCall(internal::CallOpSetInterface* ops, internal::Call* call) {
  using Real = void (*)(Server*, internal::CallOpSetInterface*, internal::Call*);
  static Real cached = nullptr;
  Wrap(ops, call);
  const char* const name = "_ZN4grpc6Server16PerformOpsOnCallEPNS_8internal18CallOpSetInterfaceEPNS1_4CallE";
  Next(name, &cached)(this, ops, call);
}

void Channel::PerformOpsOnCall(internal::CallOpSetInterface* ops, internal::Call* call) {
  using Real = void (*)(Channel*, internal::CallOpSetInterface*, internal::Call*);
  static Real cached = nullptr;
  Wrap(ops, call);
  const char* const name = "_ZN4grpc7Channel16PerformOpsOnCallEPNS_8internal18CallOpSetInterfaceEPNS1_4CallE";
  Next(name, &cached)(this, ops, call);
}

// Each call, and each place for one, is counted off when it has gone; a shutdown
// returns when all have.
void Server::UnrefWithPossibleNotify() {
  using Real = void (*)(Server*);
  static Real cached = nullptr;
  __tsan_release(&shutdown_refs_outstanding_);
  Next(Address(&Server::UnrefWithPossibleNotify), &cached)(this);
}

void Server::UnrefAndWaitLocked() {
  using Real = void (*)(Server*);
  static Real cached = nullptr;
  Next(Address(&Server::UnrefAndWaitLocked), &cached)(this);
  __tsan_acquire(&shutdown_refs_outstanding_);
}

namespace internal {

// The headers count what a call waits for with atomic operations that the
// sanitizer sees; when the library counts the last one, it does not see that one.
void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  using Real = void (*)(ServerCallbackCall*, bool);
  static Real cached = nullptr;
  __tsan_acquire(&callbacks_outstanding_);
  Next(Address(&ServerCallbackCall::ScheduleOnDone), &cached)(this, inline_ondone);
}

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  using Real = void (*)(ServerCallbackCall*, ServerReactor*);
  static Real cached = nullptr;
  __tsan_acquire(&on_cancel_conditions_remaining_);
  if (!reactor->InternalInlineable()) reactor = new Cancelled(this, reactor);
  Next(Address(&ServerCallbackCall::CallOnCancel), &cached)(this, reactor);
}

}  // namespace internal
}  // namespace grpc
