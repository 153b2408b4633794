// What reaches a session's engine thread, and how it is woken.
//
// Shared by the session, its RecordSource's wake function and the manager, so
// that a late wake-up finds it still there. Thread-safe.
#pragma once

#include <atomic>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/base/mailbox.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/session.h"

namespace datapy_kafka::engine {

struct HalfClosed {};
struct StreamBroken {};
struct DrainRequest {
  delivery::DrainCause cause = delivery::DrainCause::kShutdown;
  absl::Duration timeout;
};
struct SourceReady {};

using LoopEvent = std::variant<ports::ClientFrame, HalfClosed, StreamBroken, DrainRequest, SourceReady>;

class LoopMailbox {
 public:
  // Dropped only by a caller that breaks the ports' contract: rpc has one frame
  // in progress at a time, and each other event comes a few times at most.
  void Post(LoopEvent event) { (void)mailbox_.Post(std::move(event)); }

  // The source has something; repeated calls cost one event.
  void WakeForSource() {
    if (!source_ready_.exchange(true, std::memory_order_acq_rel)) Post(SourceReady{});
  }

  // The engine thread only.
  std::vector<LoopEvent> Take(absl::Duration timeout) { return mailbox_.Take(timeout); }
  void SourceSeen() { source_ready_.store(false, std::memory_order_release); }

 private:
  static constexpr size_t kCapacity = 64;
  Mailbox<LoopEvent> mailbox_{kCapacity};
  std::atomic<bool> source_ready_{false};
};

}  // namespace datapy_kafka::engine
