#include "daemon_backend.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/kafka/client_factory.h"

namespace datapy_kafka {
namespace {

// Checks block a thread each for up to their time-out.
constexpr size_t kConcurrentChecks = 16;
// What producers may still need when the sessions have ended.
constexpr absl::Duration kProducerFlush = absl::Seconds(5);

engine::SinkFactory MakeSinkFactory(uint64_t max_queue_bytes) {
  return [max_queue_bytes](const config::ConnectionOptions& connection,
                           const config::Properties& properties) -> absl::StatusOr<engine::PooledSink> {
    absl::StatusOr<kafka::ProducerHandle> made = kafka::MakeProducer(connection, properties, max_queue_bytes);
    if (!made.ok()) return made.status();
    return engine::PooledSink{std::move(made->sink), std::move(made->status)};
  };
}

bool IsFatal(const ports::ProduceResult& result) {
  return std::any_of(result.failures.begin(), result.failures.end(), [](const ports::ProduceFailure& failure) {
    return failure.reason == ErrorReason::kFatal;
  });
}

}  // namespace

DaemonBackend::DaemonBackend(Setup setup)
    : connections_(std::move(setup.connections)),
      version_(std::move(setup.version)),
      started_at_(absl::Now()),
      sessions_({setup.limits, setup.drain_timeout, &Clock::Steady(), std::move(setup.on_session_health)},
                kafka::MakeConsumer),
      sinks_(MakeSinkFactory(setup.limits.max_producer_queue_bytes), setup.limits.max_producers),
      checks_(kConcurrentChecks) {}

absl::StatusOr<config::ConnectionOptions> DaemonBackend::ResolveConnection(absl::string_view name) {
  if (const auto found = connections_.find(std::string(name)); found != connections_.end())
    return found->second;
  const std::string known =
      connections_.empty()
          ? "it has none: name a --config file, set KAFKA_BOOTSTRAP_SERVERS, or give bootstrap servers in the "
            "job"
          : absl::StrCat("it has ", absl::StrJoin(connections_, ", ", [](std::string* out, const auto& entry) {
                           absl::StrAppend(out, entry.first);
                         }));
  return ErrorBuilder(ErrorReason::kUnknownConnection)
      .Build(absl::StrCat("the daemon's configuration has no connection \"", name, "\"; ", known));
}

absl::StatusOr<std::shared_ptr<ports::Session>> DaemonBackend::StartSession(config::SessionOptions options,
                                                                            ports::SessionStream* stream) {
  return sessions_.Open(std::move(options), stream);
}

void DaemonBackend::CheckConnection(config::ConnectionOptions connection, absl::Duration timeout,
                                    CheckDone done) {
  auto shared_done = std::make_shared<CheckDone>(std::move(done));
  absl::AnyInvocable<void()> task = [this, connection = std::move(connection), timeout, shared_done] {
    (*shared_done)(kafka::CheckConnection(connection, timeout, draining_));
  };
  if (!checks_.Run(task)) {
    (*shared_done)(
        ErrorBuilder(ErrorReason::kResourceExhausted)
            .Build(absl::StrCat(kConcurrentChecks, " connection checks are running already; try again")));
  }
}

void DaemonBackend::Produce(config::ConnectionOptions connection, config::Properties properties,
                            ports::ProduceBatch batch, ProduceDone done) {
  absl::StatusOr<std::shared_ptr<ports::RecordSink>> sink = sinks_.Get(connection, properties);
  if (!sink.ok()) return done(sink.status());
  // The sink must outlive its own callback's use of it, and may be closed by
  // the last reference: not on its own thread, so only the pool holds it long.
  ports::RecordSink* raw = sink->get();
  raw->Produce(std::move(batch), [this, weak = std::weak_ptr<ports::RecordSink>(*sink),
                                  done = std::move(done)](ports::ProduceResult result) mutable {
    if (IsFatal(result)) {
      engine::TaskRunner* closer = &checks_;
      absl::AnyInvocable<void()> discard = [this, weak] {
        if (const auto held = weak.lock()) sinks_.Discard(held);
      };
      // Not now: closing a producer waits for the thread that runs this.
      (void)closer->Run(discard);
    }
    done(std::move(result));
  });
}

ports::DaemonStatus DaemonBackend::GetStatus() {
  ports::DaemonStatus status;
  status.version = version_;
  status.librdkafka_version = kafka::LibraryVersion();
  status.started_at = started_at_;
  status.draining = draining_.load();
  sessions_.Describe(&status);
  sinks_.Describe(&status);
  for (const auto& [name, connection] : connections_) status.connection_names.push_back(name);
  absl::MutexLock lock(&mutex_);
  status.listen_addresses = listen_addresses_;
  return status;
}

void DaemonBackend::SetListenAddresses(std::vector<std::string> addresses) {
  absl::MutexLock lock(&mutex_);
  listen_addresses_ = std::move(addresses);
}

DaemonBackend::Leftovers DaemonBackend::Drain(absl::Duration timeout) {
  draining_ = true;
  Leftovers left;
  left.unacked = sessions_.DrainAll(timeout);
  left.unsent = sinks_.FlushAndClose(kProducerFlush);
  return left;
}

}  // namespace datapy_kafka
