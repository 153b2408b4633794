#include "datapy_kafka/kafka/client_factory.h"

#include <utility>

#include "kafka/consumer.h"
#include "kafka/producer.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

std::string LibraryVersion() { return rd_kafka_version_str(); }

absl::StatusOr<std::unique_ptr<ports::RecordSource>> MakeConsumer(const config::SessionOptions& options,
                                                                  std::function<void()> wake) {
  return Consumer::Make(options, std::move(wake));
}

absl::StatusOr<ProducerHandle> MakeProducer(const config::ConnectionOptions& connection,
                                            const config::Properties& properties, uint64_t max_queue_bytes) {
  absl::StatusOr<std::unique_ptr<Producer>> made = Producer::Make(connection, properties, max_queue_bytes);
  if (!made.ok()) return made.status();
  ProducerHandle handle;
  handle.status = [producer = made->get()] { return producer->Status(); };
  handle.sink = *std::move(made);
  return handle;
}

}  // namespace datapy_kafka::kafka
