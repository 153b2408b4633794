// librdkafka configurations, made from the daemon's own options.
//
// In order, the later wins: the daemon's defaults, the connection, the
// properties of the connection and of the session, and what the daemon's
// promises rest on. Pure; any thread.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/config/options.h"
#include "kafka/client.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

// Collects settings and everything that librdkafka says against them.
class ConfBuilder {
 public:
  ConfBuilder();

  // `secret`: the value must not appear in the error.
  void Set(const std::string& name, const std::string& value, bool secret = false);
  void SetAll(const config::Properties& properties);
  // Everything of a connection but its properties.
  void SetConnection(const config::ConnectionOptions& connection);
  // Those of its properties that are for this kind of client.
  void SetConnectionProperties(const config::ConnectionOptions& connection, config::ClientKind kind);

  // The configuration, or kPropertyRefused naming every setting that
  // librdkafka does not know or take.
  absl::StatusOr<ConfPtr> Take();

 private:
  void SetTls(const config::ConnectionOptions& connection);

  ConfPtr conf_;
  std::vector<std::string> refused_;
};

absl::StatusOr<ConfPtr> ConsumerConf(const config::SessionOptions& options);
absl::StatusOr<ConfPtr> ProducerConf(const config::ConnectionOptions& connection,
                                     const config::Properties& properties, uint64_t max_queue_bytes);
// For CheckConnection: gives up connecting to a broker after `timeout_ms`.
absl::StatusOr<ConfPtr> CheckConf(const config::ConnectionOptions& connection, int64_t timeout_ms);

// A setting as librdkafka has it now; empty when it has none.
std::string GetSetting(const rd_kafka_conf_t* conf, const char* name);

// What Client::Make needs to know of a connection.
Client::Surroundings SurroundingsOf(const config::ConnectionOptions& connection, std::function<void()> wake);

}  // namespace datapy_kafka::kafka
