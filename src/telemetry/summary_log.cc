#include "datapy_kafka/telemetry/summary_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace datapy_kafka::telemetry {
namespace {

// "lag 12 in 4 partitions"; a part of them may not be known yet.
std::string Lag(const ports::SessionStatus& session) {
  int64_t lag = 0;
  bool known = false;
  for (const ports::PartitionStatus& partition : session.partitions) {
    known |= partition.lag >= 0;
    lag += std::max<int64_t>(0, partition.lag);
  }
  return absl::StrCat("lag ", known ? absl::StrCat(lag) : "unknown", " in ", session.partitions.size(),
                      " partitions");
}

std::string OldestUnacked(const ports::SessionStatus& session, absl::Time now) {
  if (!session.oldest_unacked) return "";
  const ports::OldestUnacked& oldest = *session.oldest_unacked;
  return absl::StrFormat(", the oldest %s offset %d since %.1fs", ToString(oldest.tp), oldest.offset.value(),
                         absl::ToDoubleSeconds(now - oldest.delivered_at));
}

}  // namespace

std::vector<std::string> SummaryLines(const ports::DaemonStatus& status, absl::Time now) {
  std::vector<std::string> lines;
  for (const ports::SessionStatus& session : status.sessions) {
    lines.push_back(absl::StrFormat(
        "session %s of group %s: %.0f records/s; acked %d, failed %d, retried %d, skipped %d, commits %d; %s; "
        "in flight %d of %d%s",
        session.session_id, session.group_id, session.acked_per_second, session.totals.acked,
        session.totals.nacked, session.totals.retried, session.totals.skipped, session.totals.commits,
        Lag(session), session.in_flight_records, session.max_in_flight_records, OldestUnacked(session, now)));
  }
  for (const ports::ProducerStatus& producer : status.producers) {
    lines.push_back(absl::StrFormat("producer of %s: written %d, failed %d, waiting %d", producer.connection,
                                    producer.delivered, producer.failed, producer.queued_records));
  }
  return lines;
}

SummaryLog::SummaryLog(absl::Duration interval, std::function<ports::DaemonStatus()> snapshot)
    : interval_(interval), snapshot_(std::move(snapshot)) {
  if (interval_ > absl::ZeroDuration()) thread_ = std::thread([this] { Run(); });
}

SummaryLog::~SummaryLog() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void SummaryLog::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stop_), interval_)) return;
    }
    for (const std::string& line : SummaryLines(snapshot_(), absl::Now())) spdlog::info("{}", line);
  }
}

}  // namespace datapy_kafka::telemetry
