#include "datapy_kafka/ports/status.h"

#include <algorithm>

namespace datapy_kafka::ports {

void LatencyHistogram::Observe(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts[bound - kBounds.begin()];
  sum_seconds += seconds;
}

}  // namespace datapy_kafka::ports
