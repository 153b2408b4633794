// What the RPC server needs from the rest of the daemon.
//
// server/ implements it by tying engine and kafka together; the tests of rpc
// implement it with a fake. Thread-safe; no method blocks.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_sink.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::rpc {

class Backend {
 public:
  using CheckDone = absl::AnyInvocable<void(absl::StatusOr<ports::ConnectionInfo>)>;
  using ProduceDone = absl::AnyInvocable<void(absl::StatusOr<ports::ProduceResult>)>;

  virtual ~Backend() = default;

  // The configured connection of that name, or kUnknownConnection with the
  // names that exist.
  virtual absl::StatusOr<config::ConnectionOptions> ResolveConnection(absl::string_view name) = 0;

  // Opens a session. On success `stream` is used until its Finish is called; on
  // an error it is never touched.
  virtual absl::StatusOr<std::shared_ptr<ports::Session>> StartSession(config::SessionOptions options,
                                                                       ports::SessionStream* stream) = 0;

  // `done` is called exactly once, soon after `timeout` at the latest.
  virtual void CheckConnection(config::ConnectionOptions connection, absl::Duration timeout,
                               CheckDone done) = 0;

  // As RecordSink::Produce, on the producer of that connection and properties.
  virtual void Produce(config::ConnectionOptions connection, config::Properties properties,
                       ports::ProduceBatch batch, ProduceDone done) = 0;

  virtual ports::DaemonStatus GetStatus() = 0;
};

}  // namespace datapy_kafka::rpc
