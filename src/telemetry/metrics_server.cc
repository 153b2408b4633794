#include "datapy_kafka/telemetry/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bind_check.h"
#include "status_metrics.h"

namespace datapy_kafka::telemetry {
namespace {

constexpr size_t kServerThreads = 2;

class StatusCollector final : public prometheus::Collectable {
 public:
  StatusCollector(std::function<ports::DaemonStatus()> snapshot, size_t max_partitions)
      : snapshot_(std::move(snapshot)), max_partitions_(max_partitions) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    return MakeMetrics(snapshot_(), absl::Now(), max_partitions_);
  }

 private:
  const std::function<ports::DaemonStatus()> snapshot_;
  const size_t max_partitions_;
};

class ExposerServer final : public MetricsServer {
 public:
  ExposerServer(const std::string& address, std::shared_ptr<StatusCollector> collector)
      : exposer_(address, kServerThreads), collector_(std::move(collector)) {
    exposer_.RegisterCollectable(collector_, "/metrics");
  }

 private:
  prometheus::Exposer exposer_;
  const std::shared_ptr<StatusCollector> collector_;  // the exposer holds a weak reference
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address, std::function<ports::DaemonStatus()> snapshot, const config::Limits& limits) {
  if (absl::Status status = CheckMetricsAddress(address); !status.ok()) return status;
  auto collector = std::make_shared<StatusCollector>(std::move(snapshot), limits.max_metric_partitions);
  // The one place where a library throws at us.
  try {
    return std::make_unique<ExposerServer>(address, std::move(collector));
  } catch (const std::exception& error) {
    return absl::AlreadyExistsError(absl::StrCat("--metrics_listen=", address, ": cannot listen there (",
                                                 error.what(),
                                                 "); another process may have taken it just now"));
  }
}

}  // namespace datapy_kafka::telemetry
