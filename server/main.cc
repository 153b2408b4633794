// The daemon: flags, wiring, signals.
#include <malloc.h>

#include <iostream>

#include "daemon.h"
#include "flags.h"

int main(int argc, char** argv) {
#ifdef M_ARENA_MAX
  // Records are allocated on librdkafka's threads and freed on others: with an
  // arena for each thread, what is freed is rarely found again.
  mallopt(M_ARENA_MAX, 2);
#endif
  const absl::StatusOr<datapy_kafka::DaemonOptions> options = datapy_kafka::ParseFlags(argc, argv);
  if (!options.ok()) {
    std::cerr << "datapy-kafka-sidecar: " << options.status().message() << "\n";
    return datapy_kafka::kExitBadConfiguration;
  }
  return datapy_kafka::RunDaemon(*options);
}
