// Serves Prometheus metrics, made from a status snapshot at each scrape: what
// nobody scrapes costs nothing.
//
//   auto metrics = MetricsServer::Start("127.0.0.1:9464", [&] { return Status(); }, limits);
//
// Owned by main. `snapshot` is called on the server's own threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::telemetry {

class MetricsServer {
 public:
  // Serves GET /metrics at `address`, host:port, IPv4. kInvalidArgument for an
  // address that is malformed, unknown or not of this machine, kAlreadyExists
  // when it is taken, kPermissionDenied when this user may not take it.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              std::function<ports::DaemonStatus()> snapshot,
                                                              const config::Limits& limits);
  virtual ~MetricsServer() = default;
};

}  // namespace datapy_kafka::telemetry
