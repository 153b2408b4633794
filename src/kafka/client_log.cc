#include "kafka/client_log.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace datapy_kafka::kafka {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(30);
constexpr int kLinesPerInterval = 3;

// What librdkafka calls an error it retries for ever: a warning to the daemon.
spdlog::level::level_enum LevelOf(int syslog_level) {
  if (syslog_level <= 2) return spdlog::level::err;
  if (syslog_level <= 4) return spdlog::level::warn;
  if (syslog_level <= 6) return spdlog::level::info;
  return spdlog::level::debug;
}

}  // namespace

void ClientLog::Line(int level, const char* facility, const char* text) {
  // Every broker since Kafka 0.11 can; the one that cannot is the mock cluster
  // of --dev_broker, and nobody has to do anything about it.
  if (absl::string_view(facility) == "AUTOCREATE") return;
  // A client that is destroyed in the background may outlive the logger.
  const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
  if (logger == nullptr) return;
  uint64_t suppressed = 0;
  {
    const absl::Time now = absl::Now();
    absl::MutexLock lock(&mutex_);
    Kind& kind = kinds_[facility];
    if (now - kind.interval_began >= kInterval) {
      suppressed = std::exchange(kind.suppressed, 0);
      kind = {now, 0, 0};
    }
    if (++kind.lines > kLinesPerInterval) {
      ++kind.suppressed;
      return;
    }
  }
  if (suppressed > 0) {
    logger->log(LevelOf(level), "librdkafka {}: {} ({} more like it before)", facility, text, suppressed);
  } else {
    logger->log(LevelOf(level), "librdkafka {}: {}", facility, text);
  }
}

}  // namespace datapy_kafka::kafka
