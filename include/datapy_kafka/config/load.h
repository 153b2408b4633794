// Reads the daemon's configuration: the --config file and the environment.
//
// Any thread; reads files, so not for a hot path.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/config/options.h"

namespace datapy_kafka::config {

// Looks an environment variable up; nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// Reads the file at `path` (JSON of SidecarConfig; empty: no file) and resolves
// its secrets. KAFKA_BOOTSTRAP_SERVERS, KAFKA_USERNAME and KAFKA_PASSWORD, with
// KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_SSL_CA_LOCATION,
// KAFKA_SSL_CERT_LOCATION, KAFKA_SSL_KEY_LOCATION and KAFKA_SSL_KEY_PASSWORD,
// make the connection "default" unless the file has it.
// Errors: one line that names the file, the key and what it accepts.
absl::StatusOr<FileOptions> Load(absl::string_view path, const Environment& environment);

}  // namespace datapy_kafka::config
