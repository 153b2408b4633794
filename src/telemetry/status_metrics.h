// From a status snapshot to metric families.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::telemetry {

// `max_partitions`: partitions that get a series of their own; the rest of a
// topic is summed as partition="other". Pure; any thread.
std::vector<prometheus::MetricFamily> MakeMetrics(const ports::DaemonStatus& status, absl::Time now,
                                                  size_t max_partitions);

}  // namespace datapy_kafka::telemetry
