// The daemon's flags and their environment twins.
#pragma once

#include "absl/status/statusor.h"
#include "daemon.h"

namespace datapy_kafka {

// Reads the command line, and DATAPY_KAFKA_<FLAG> for what it does not name.
// kInvalidArgument: one line that says what is wrong and what is accepted.
// --help prints and exits.
absl::StatusOr<DaemonOptions> ParseFlags(int argc, char** argv);

}  // namespace datapy_kafka
