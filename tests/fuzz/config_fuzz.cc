// The text of a configuration file: whatever it is, it is read or refused with
// one line that shows no secret of the environment.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "absl/strings/match.h"
#include "config/config_json.h"
#include "config/connection_source.h"

namespace {

constexpr char kCanary[] = "hunter2-canary";

void Check(const absl::Status& status) {
  if (status.ok()) return;
  const std::string message(status.message());
  if (absl::StrContains(message, kCanary) || message.empty()) {
    std::cerr << message << "\n";
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (absl::StrContains(text, kCanary)) return 0;  // its own text may be shown
  const auto config = datapy_kafka::config::ParseConfigJson(text);
  if (!config.ok()) {
    if (absl::StrContains(config.status().message(), '\n')) std::abort();
    return 0;
  }
  // Every variable is set, to what nobody may see. The folder does not exist.
  const auto environment = [](const std::string&) -> std::optional<std::string> { return kCanary; };
  for (const auto& [name, source] : config->connections()) {
    // What stands in the clear may be shown: servers, user and topics.
    datapy_kafka::v1::ConnectionConfig safe = source;
    if (safe.bootstrap_servers().has_env()) safe.mutable_bootstrap_servers()->set_value("kafka:9092");
    Check(datapy_kafka::config::MakeConnection(name, safe, "/no/such/folder", environment).status());
  }
  return 0;
}
