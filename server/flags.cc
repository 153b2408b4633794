#include "flags.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "datapy_kafka/base/error.h"

ABSL_FLAG(std::vector<std::string>, listen, {},
          "addresses to serve at, comma-separated or repeated: unix:///path, 127.0.0.1:port; default "
          "unix://$XDG_RUNTIME_DIR/datapy-kafka/sidecar.sock, else unix:///tmp/datapy-kafka-$UID/sidecar.sock");
ABSL_FLAG(std::string, config, "", "the configuration file, JSON: named connections and limits");
ABSL_FLAG(
    bool, dev_broker, false,
    "run a Kafka for trying things out inside the daemon, as the connection \"default\"; it keeps nothing");
ABSL_FLAG(std::string, metrics_listen, "",
          "serve Prometheus metrics at this host:port, /metrics; off by default");
ABSL_FLAG(bool, reflection, true, "gRPC reflection, which lets grpcurl describe the API");
ABSL_FLAG(double, shutdown_drain_timeout_s, 30,
          "seconds that a clean stop waits for acks; also the most that a session may ask for");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning, error");
ABSL_FLAG(std::string, log_format, "tab", "tab (columns as DataPy's) or json");
ABSL_FLAG(double, log_summary_interval_s, 60,
          "seconds between the log's summaries, one line for each open session; 0: none");
ABSL_FLAG(bool, check, false, "check flags and configuration, then exit: 0 or 2");
ABSL_FLAG(
    bool, health, false,
    "ask the daemon at the --listen address, the first unix socket of several, for its health: exit 0 or 1");

namespace datapy_kafka {
namespace {

constexpr char kUsage[] =
    "A Kafka client daemon for DataPy jobs, spoken to over gRPC.\n\n"
    "  datapy-kafka-sidecar --config=/etc/datapy-kafka/sidecar.json\n"
    "  datapy-kafka-sidecar --dev_broker\n\n"
    "Every flag can be set as DATAPY_KAFKA_<FLAG> in the environment; the command line wins.";

constexpr const char* kFlagNames[] = {"listen",         "config",     "dev_broker",
                                      "metrics_listen", "reflection", "shutdown_drain_timeout_s",
                                      "log_level",      "log_format", "log_summary_interval_s"};

absl::Status Refuse(absl::string_view message) {
  return ErrorBuilder(ErrorReason::kInvalidArgument).Build(message);
}

std::string DefaultAddress() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime != '\0')
    return absl::StrCat("unix://", runtime, "/datapy-kafka/sidecar.sock");
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

// Before the command line is parsed, so that the command line wins.
absl::Status TakeEnvironment() {
  for (const char* name : kFlagNames) {
    const std::string variable = absl::StrCat("DATAPY_KAFKA_", absl::AsciiStrToUpper(name));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    std::string error;
    if (!absl::FindCommandLineFlag(name)->ParseFrom(value, &error)) {
      return Refuse(absl::StrCat(variable, "=", value, ": ", error));
    }
  }
  return absl::OkStatus();
}

// Abseil keeps the last of a repeated flag; --listen gathers all of them.
std::vector<std::string> GatherListen(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  std::vector<std::string> addresses;
  std::vector<std::string> others;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view bare = absl::StripPrefix(absl::StripPrefix(arguments[i], "-"), "-");
    if (i > 0 && arguments[i] != bare && absl::StartsWith(bare, "listen=")) {
      addresses.emplace_back(bare.substr(7));
    } else if (i > 0 && arguments[i] != bare && bare == "listen" && i + 1 < arguments.size()) {
      addresses.push_back(arguments[++i]);
    } else {
      others.push_back(arguments[i]);
    }
  }
  if (!addresses.empty()) others.push_back(absl::StrCat("--listen=", absl::StrJoin(addresses, ",")));
  return others;
}

// Abseil answers a bad flag with exit code 1 and --help or --version too; ours
// are 2 and 0, as users' manifests rely on.
bool parsing = false;
bool asked_for_help = false;
void CorrectExitCode() {
  if (!parsing) return;
  std::fflush(nullptr);
  _exit(asked_for_help ? kExitClean : kExitBadConfiguration);
}

std::vector<std::string> ParseCommandLine(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    const absl::string_view bare = absl::StripPrefix(absl::StripPrefix(argument, "-"), "-");
    asked_for_help |= bare.size() < argument.size() && (absl::StartsWith(bare, "help") || bare == "version");
    argv.push_back(argument.data());
  }
  std::atexit(CorrectExitCode);
  parsing = true;
  const std::vector<char*> rest = absl::ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  parsing = false;
  return {rest.begin() + 1, rest.end()};
}

}  // namespace

absl::StatusOr<DaemonOptions> ParseFlags(int argc, char** argv) {
  SetUsage();
  if (const absl::Status status = TakeEnvironment(); !status.ok()) return status;
  const std::vector<std::string> rest = ParseCommandLine(GatherListen(argc, argv));
  if (!rest.empty()) {
    return Refuse(
        absl::StrCat("unexpected argument \"", rest.front(), "\": every option begins with --; see --help"));
  }

  DaemonOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  if (options.listen.empty()) options.listen.push_back(DefaultAddress());
  options.config_file = absl::GetFlag(FLAGS_config);
  options.dev_broker = absl::GetFlag(FLAGS_dev_broker);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  options.reflection = absl::GetFlag(FLAGS_reflection);
  options.log_level = absl::GetFlag(FLAGS_log_level);
  options.log_format = absl::GetFlag(FLAGS_log_format);
  const double drain_s = absl::GetFlag(FLAGS_shutdown_drain_timeout_s);
  if (!(drain_s >= 0 && drain_s <= 3600)) {
    return Refuse(absl::StrCat("--shutdown_drain_timeout_s=", drain_s, ": takes 0 to 3600 seconds"));
  }
  options.drain_timeout = absl::Seconds(drain_s);
  const double summary_s = absl::GetFlag(FLAGS_log_summary_interval_s);
  if (!(summary_s >= 0 && summary_s <= 86400)) {
    return Refuse(absl::StrCat("--log_summary_interval_s=", summary_s, ": takes 0 to 86400 seconds"));
  }
  options.summary_interval = absl::Seconds(summary_s);
  if (absl::GetFlag(FLAGS_health)) options.action = DaemonOptions::Action::kHealth;
  if (absl::GetFlag(FLAGS_check)) options.action = DaemonOptions::Action::kCheck;
  return options;
}

}  // namespace datapy_kafka
