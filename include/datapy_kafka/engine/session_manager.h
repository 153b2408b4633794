// The daemon's consume sessions: opens, counts, drains and describes them.
//
//   SessionManager manager(options, kafka::MakeConsumer);
//   auto session = manager.Open(session_options, stream);   // StatusOr
//   ...
//   manager.DrainAll(absl::Seconds(30));                    // SIGTERM
//
// Thread-safe. Owned by main; every stream given to Open must outlive its
// session, and every session ends before the manager is destroyed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/clock.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::engine {

// Makes the consumer of a session.
using SourceFactory = std::function<absl::StatusOr<std::unique_ptr<ports::RecordSource>>(
    const config::SessionOptions&, std::function<void()> wake)>;

// Told when a session begins to serve, when it drains, and last that it has
// ended; any thread.
enum class SessionHealth { kServing, kDraining, kEnded };
using HealthListener = std::function<void(const std::string& session_id, SessionHealth health)>;

struct ManagerOptions {
  config::Limits limits;
  absl::Duration drain_timeout = absl::Seconds(30);  // and the most a session may ask for
  const Clock* clock = &Clock::Steady();
  HealthListener on_health;
};

class SessionManager {
 public:
  SessionManager(ManagerOptions options, SourceFactory factory);
  ~SessionManager();

  SessionManager(const SessionManager&) = delete;
  SessionManager& operator=(const SessionManager&) = delete;

  // Starts a session's thread. Errors: kResourceExhausted at the limit,
  // kShuttingDown while draining, and what the factory answers. The stream is
  // only used on success.
  absl::StatusOr<std::shared_ptr<ports::Session>> Open(config::SessionOptions options,
                                                       ports::SessionStream* stream);

  // Refuses new sessions and asks every open one to end cleanly; returns when
  // all have, or after `timeout` plus the time that closing takes. The number
  // of deliveries that stayed unacked.
  uint64_t DrainAll(absl::Duration timeout);

  // The open sessions, oldest first.
  std::vector<ports::SessionStatus> Status() const;
  // Fills in what `status` says of sessions, open and ended, as of one moment:
  // a session that ends meanwhile counts once.
  void Describe(ports::DaemonStatus* status) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace datapy_kafka::engine
