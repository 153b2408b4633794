// Makes a connection from the configuration file's message or the environment.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "datapy_kafka/config/load.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/v1/config.pb.h"

namespace datapy_kafka::config {

// `directory`: where relative paths in `source` begin. Errors name `name`, the
// key and the environment variable or file, never a secret.
absl::StatusOr<ConnectionOptions> MakeConnection(const std::string& name, const v1::ConnectionConfig& source,
                                                 const std::string& directory, const Environment& environment);

// The connection that KAFKA_BOOTSTRAP_SERVERS and its companions make; nullopt
// when that variable is not set.
absl::StatusOr<std::optional<ConnectionOptions>> ConnectionFromEnvironment(const Environment& environment);

}  // namespace datapy_kafka::config
