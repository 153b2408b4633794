// Makes everything that talks to Kafka. The only door into this module: no
// librdkafka type passes through it.
//
// Thread-safe. Nothing here blocks unless its comment says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_sink.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::kafka {

// librdkafka's version: "2.8.0".
std::string LibraryVersion();

// A consumer group member for a session. `wake`: see ports/record_source.h.
// Errors: kPropertyRefused for a property that librdkafka does not know or
// whose value it refuses, kTlsMaterialInvalid for certificates and keys.
absl::StatusOr<std::unique_ptr<ports::RecordSource>> MakeConsumer(const config::SessionOptions& options,
                                                                  std::function<void()> wake);

// A producer: idempotent, acks=all. Closed, with what it still holds, when it
// is destroyed. Errors as MakeConsumer.
struct ProducerHandle {
  std::unique_ptr<ports::RecordSink> sink;
  // Counts so far; thread-safe, valid as long as the sink.
  std::function<ports::ProducerStatus()> status;
};
absl::StatusOr<ProducerHandle> MakeProducer(const config::ConnectionOptions& connection,
                                            const config::Properties& properties, uint64_t max_queue_bytes);

// Connects, logs in and lists topics. Blocks for `timeout` at most. Tells apart
// unreachable, DNS, authentication, mechanism, authorization, TLS and time-out,
// and gives up at the first answer that retrying will not change, or within 4 s
// of `stopping`.
absl::StatusOr<ports::ConnectionInfo> CheckConnection(const config::ConnectionOptions& connection,
                                                      absl::Duration timeout,
                                                      const std::atomic<bool>& stopping);

// Clients are freed in the background. Waits until none is left in the process,
// `timeout` at most; false when one is: its threads still run.
bool AwaitFreed(absl::Duration timeout);

}  // namespace datapy_kafka::kafka
