// The daemon's life: start, serve until a signal, drain, stop.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace datapy_kafka {

// Exit codes, which manifests and tests rely on.
inline constexpr int kExitClean = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadConfiguration = 2;
inline constexpr int kExitAddressTaken = 3;

// What the command line and the environment say.
struct DaemonOptions {
  enum class Action { kServe, kCheck, kHealth };
  Action action = Action::kServe;
  std::vector<std::string> listen;
  std::string config_file;
  bool dev_broker = false;
  std::string metrics_listen;
  bool reflection = true;
  absl::Duration drain_timeout = absl::Seconds(30);
  std::string log_level = "info";
  std::string log_format = "tab";
  absl::Duration summary_interval = absl::Seconds(60);
};

// Does what the options ask for; the exit code. Called once, on the main
// thread, before any other thread exists.
int RunDaemon(const DaemonOptions& options);

// "1.0.0 (git 1a2b3c4)".
std::string Version();

}  // namespace datapy_kafka
