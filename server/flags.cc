#include "flags.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/config/flag_environment.h"

ABSL_FLAG(std::vector<std::string>, listen, {},
          "addresses to serve at, comma-separated or repeated: unix:///path, 127.0.0.1:port; default "
          "unix://$XDG_RUNTIME_DIR/datapy-kafka/sidecar.sock, else unix:///tmp/datapy-kafka-$UID/sidecar.sock");
ABSL_FLAG(std::string, config, "", "the configuration file, JSON: named connections and limits");
ABSL_FLAG(bool, dev_broker, false,
          "run a Kafka for trying things out inside the daemon, as the connection \"default\"; it keeps nothing");
ABSL_FLAG(std::string, metrics_listen, "", "serve Prometheus metrics at this host:port, /metrics; off by default");
ABSL_FLAG(bool, reflection, true, "gRPC reflection, which lets grpcurl describe the API");
ABSL_FLAG(double, shutdown_drain_timeout_s, 30,
          "seconds that a clean stop waits for acks; also the most that a session may ask for");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning, error");
ABSL_FLAG(std::string, log_format, "tab", "tab (columns as DataPy's) or json");
ABSL_FLAG(bool, check, false, "check flags and configuration, then exit: 0 or 2");
ABSL_FLAG(bool, health, false, "ask the daemon that runs at the first --listen address for its health: exit 0 or 1");

namespace datapy_kafka {
namespace {

constexpr absl::string_view kUsage =
    "A Kafka client daemon for DataPy jobs, spoken to over gRPC.\n\n"
    "  datapy-kafka-sidecar --config=/etc/datapy-kafka/sidecar.json\n"
    "  datapy-kafka-sidecar --dev_broker\n\n"
    "Every flag can be set as DATAPY_KAFKA_<FLAG> in the environment; the command line wins.";

const std::vector<std::string>& FlagNames() {
  static const auto* const names = new std::vector<std::string>{
      "listen",     "config",     "dev_broker", "metrics_listen", "reflection", "shutdown_drain_timeout_s",
      "log_level",  "log_format", "check",      "health"};
  return *names;
}

std::string DefaultAddress() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime != '\0') return absl::StrCat("unix://", runtime, "/datapy-kafka/sidecar.sock");
  return absl::StrCat("unix:///tmp/datapy-kafka-", getuid(), "/sidecar.sock");
}

void SetUsage() {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) { return absl::StrContains(file, "flags.cc"); };
  usage.contains_helpshort_flags = usage.contains_help_flags;
  usage.version_string = [] { return absl::StrCat("datapy-kafka-sidecar ", Version(), "\n"); };
  absl::SetFlagsUsageConfig(usage);
}

absl::Status Refuse(absl::string_view message) {
  return ErrorBuilder(ErrorReason::kInvalidArgument).Build(message);
}

DaemonOptions::Action ActionOf() {
  if (absl::GetFlag(FLAGS_health)) return DaemonOptions::Action::kHealth;
  if (absl::GetFlag(FLAGS_check)) return DaemonOptions::Action::kCheck;
  return DaemonOptions::Action::kServe;
}

}  // namespace

absl::StatusOr<DaemonOptions> ParseFlags(int argc, char** argv) {
  SetUsage();
  return Refuse("");
}

}  // namespace datapy_kafka
