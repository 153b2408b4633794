#include "datapy_kafka/config/load.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config_json.h"
#include "connection_source.h"
#include "problems.h"
#include "text_file.h"

namespace datapy_kafka::config {
namespace {

constexpr size_t kMaxConfigFile = 1u << 20;

absl::Status Refuse(absl::string_view path, absl::string_view why) {
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .File(path)
      .Build(absl::StrCat("configuration ", path, ": ", why));
}

absl::StatusOr<v1::SidecarConfig> Parse(const std::string& path) {
  absl::StatusOr<std::string> text = ReadTextFile(path, "the configuration", kMaxConfigFile);
  if (!text.ok()) return text.status();
  absl::StatusOr<v1::SidecarConfig> config = ParseConfigJson(*text);
  if (!config.ok()) return Refuse(path, config.status().message());
  return config;
}

template <typename T, typename Given>
void Take(Given given, T* limit) {
  if (given != 0) *limit = static_cast<T>(given);
}

Limits MakeLimits(const v1::LimitsConfig& given) {
  Limits limits;
  Take(given.max_sessions(), &limits.max_sessions);
  Take(given.max_streams_per_connection(), &limits.max_streams_per_connection);
  Take(given.max_request_bytes(), &limits.max_request_bytes);
  Take(given.max_in_flight_records(), &limits.max_in_flight_records);
  Take(given.max_in_flight_bytes(), &limits.max_in_flight_bytes);
  Take(given.max_producers(), &limits.max_producers);
  Take(given.max_producer_queue_bytes(), &limits.max_producer_queue_bytes);
  if (given.idle_timeout_s() != 0) limits.idle_timeout = absl::Seconds(given.idle_timeout_s());
  Take(given.max_metric_partitions(), &limits.max_metric_partitions);
  Take(given.max_rpc_memory_bytes(), &limits.max_rpc_memory_bytes);
  return limits;
}

void CheckLimits(const Limits& limits, Problems* problems) {
  const auto at_least = [problems](absl::string_view name, uint64_t value, uint64_t least) {
    if (value < least) problems->Add("limits.", name, " is ", value, ": it takes ", least, " or more");
  };
  at_least("max_request_bytes", limits.max_request_bytes, 64u << 10);
  at_least("max_rpc_memory_bytes", limits.max_rpc_memory_bytes, 16u << 20);
  at_least("max_producer_queue_bytes", limits.max_producer_queue_bytes, 1u << 20);
  if (limits.max_request_bytes > (2047u << 20)) {
    problems->Add("limits.max_request_bytes is ", limits.max_request_bytes, ": it takes at most 2047 MiB");
  }
}

std::optional<ListenerTls> MakeTls(const v1::ListenerTlsConfig& given, const std::string& directory,
                                   Problems* problems) {
  if (given.certificate_file().empty() || given.private_key_file().empty() || given.client_ca_file().empty()) {
    problems->Add("listener_tls takes certificate_file, private_key_file and client_ca_file, all three");
    return std::nullopt;
  }
  const auto readable = [&](const std::string& path) {
    std::string full = (std::filesystem::path(directory) / path).string();
    if (const auto text = ReadTextFile(full, "listener_tls", kMaxConfigFile); !text.ok()) {
      problems->Add(text.status().message());
    }
    return full;
  };
  ListenerTls tls;
  tls.certificate_file = readable(given.certificate_file());
  tls.private_key_file = readable(given.private_key_file());
  tls.client_ca_file = readable(given.client_ca_file());
  return tls;
}

absl::StatusOr<FileOptions> Convert(const std::string& path, const v1::SidecarConfig& config,
                                    const Environment& environment) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  FileOptions options;
  Problems problems;
  for (const auto& [name, source] : config.connections()) {
    absl::StatusOr<ConnectionOptions> connection = MakeConnection(name, source, directory, environment);
    if (!connection.ok()) {
      problems.Add(connection.status().message());
    } else {
      options.connections.emplace(name, *std::move(connection));
    }
  }
  options.limits = MakeLimits(config.limits());
  CheckLimits(options.limits, &problems);
  if (config.has_listener_tls()) options.listener_tls = MakeTls(config.listener_tls(), directory, &problems);
  options.socket_group_access = config.socket_group_access();
  options.allowed_uids.assign(config.allowed_uids().begin(), config.allowed_uids().end());
  if (const absl::Status status = problems.ToStatus(ErrorReason::kInvalidArgument); !status.ok()) {
    return Refuse(path, status.message());
  }
  return options;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

absl::StatusOr<FileOptions> Load(absl::string_view path, const Environment& environment) {
  FileOptions options;
  if (!path.empty()) {
    const std::string file(path);
    absl::StatusOr<v1::SidecarConfig> config = Parse(file);
    if (!config.ok()) return config.status();
    absl::StatusOr<FileOptions> converted = Convert(file, *config, environment);
    if (!converted.ok()) return converted.status();
    options = *std::move(converted);
  }
  if (options.connections.find("default") == options.connections.end()) {
    absl::StatusOr<std::optional<ConnectionOptions>> made = ConnectionFromEnvironment(environment);
    if (!made.ok()) return made.status();
    if (*made) options.connections.emplace("default", **std::move(made));
  }
  return options;
}

}  // namespace datapy_kafka::config
