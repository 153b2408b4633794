// A Kafka for a laptop: librdkafka's mock cluster inside the daemon.
//
// Keeps nothing on disk, 5 MiB a partition at most; topics appear with four
// partitions when first used. Owned by main; thread-safe once made.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace datapy_kafka::kafka {

class DevBroker {
 public:
  // Starts a cluster of one broker on a free loopback port.
  static absl::StatusOr<std::unique_ptr<DevBroker>> Start();

  virtual ~DevBroker() = default;

  // "127.0.0.1:43210".
  virtual std::string bootstrap_servers() const = 0;
};

}  // namespace datapy_kafka::kafka
