// The daemon: flags, wiring, signals.
#include <iostream>

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
