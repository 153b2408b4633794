// The daemon: flags, wiring, signals.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "daemon.h"
#include "flags.h"

int main(int argc, char** argv) {
  const absl::StatusOr<datapy_kafka::DaemonOptions> options = datapy_kafka::ParseFlags(argc, argv);
  if (!options.ok()) {
    std::cerr << "datapy-kafka-sidecar: " << options.status().message() << "\n";
    return datapy_kafka::kExitBadConfiguration;
  }
  return datapy_kafka::RunDaemon(*options);
}
