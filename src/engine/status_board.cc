#include "status_board.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::engine {
namespace {

constexpr size_t kRecentErrors = 10;
constexpr absl::Duration kRateWindow = absl::Seconds(2);

ports::SessionState StateOf(const delivery::DeliveryMachine& machine, bool joined) {
  switch (machine.state()) {
    case delivery::MachineState::kRunning:
      return joined ? ports::SessionState::kRunning : ports::SessionState::kJoining;
    case delivery::MachineState::kRevoking:
      return ports::SessionState::kRevoking;
    case delivery::MachineState::kDraining:
    case delivery::MachineState::kFinished:
      break;
  }
  return ports::SessionState::kDraining;
}

std::vector<ports::PartitionStatus> PartitionsOf(const delivery::DeliveryMachine& machine,
                                                 const std::vector<ports::PartitionProgress>& progress) {
  absl::flat_hash_map<TopicPartition, const ports::PartitionProgress*> by_partition;
  for (const ports::PartitionProgress& one : progress) by_partition[one.tp] = &one;
  std::vector<ports::PartitionStatus> partitions;
  for (const delivery::PartitionView& view : machine.partitions()) {
    ports::PartitionStatus status;
    status.tp = view.tp;
    status.committed = view.committed;
    status.in_flight_records = view.in_flight_records;
    status.retrying = view.retrying;
    if (const auto found = by_partition.find(view.tp); found != by_partition.end()) {
      status.position = found->second->position;
      status.high_watermark = found->second->high_watermark;
    }
    // Before the first commit of this session, where a commit would be stands
    // for it; before the first ack, where reading began.
    Offset behind = view.committed != kNoOffset ? view.committed : view.committable;
    if (behind == kNoOffset) behind = view.first;
    if (behind != kNoOffset && status.high_watermark != kNoOffset) {
      status.lag = std::max<int64_t>(0, status.high_watermark - behind);
    }
    partitions.push_back(std::move(status));
  }
  std::sort(partitions.begin(), partitions.end(),
            [](const ports::PartitionStatus& a, const ports::PartitionStatus& b) { return a.tp < b.tp; });
  return partitions;
}

}  // namespace

StatusBoard::StatusBoard(const config::SessionOptions& options, std::string session_id, absl::Time now)
    : rate_since_(now) {
  absl::MutexLock lock(&mutex_);
  status_.session_id = std::move(session_id);
  status_.client_name = options.client_name;
  status_.client_version = options.client_version;
  status_.connection = options.connection.DisplayName();
  status_.group_id = options.group_id;
  status_.topics = options.topics;
  status_.state = ports::SessionState::kJoining;
  status_.started_at = now;
  status_.failure_mode = static_cast<int>(options.failure_policy.mode);
  status_.max_in_flight_records = options.max_in_flight_records;
  status_.max_in_flight_bytes = options.max_in_flight_bytes;
}

ports::SessionStatus StatusBoard::Read() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

void StatusBoard::UpdateRate(uint64_t acked, absl::Time now) {
  const absl::Duration elapsed = now - rate_since_;
  if (elapsed < kRateWindow) return;
  rate_ = static_cast<double>(acked - rate_acked_) / absl::ToDoubleSeconds(elapsed);
  rate_acked_ = acked;
  rate_since_ = now;
}

void StatusBoard::Publish(const delivery::DeliveryMachine& machine, const ports::SessionTotals& totals,
                          bool joined, const std::vector<ports::PartitionProgress>& progress, absl::Time now) {
  UpdateRate(totals.acked, now);
  std::vector<ports::PartitionStatus> partitions = PartitionsOf(machine, progress);
  std::optional<ports::OldestUnacked> oldest;
  if (const auto open = machine.oldest_open()) {
    oldest = ports::OldestUnacked{open->tp, open->offset, open->id, open->attempt, open->delivered_at};
  }

  absl::MutexLock lock(&mutex_);
  status_.state = StateOf(machine, joined);
  status_.in_flight_records = machine.in_flight_records();
  status_.in_flight_bytes = machine.in_flight_bytes();
  status_.oldest_unacked = std::move(oldest);
  status_.acked_per_second = rate_;
  status_.totals = totals;
  status_.partitions = std::move(partitions);
  status_.commit_latency = commit_latency_;
  status_.ack_latency = ack_latency_;
}

void StatusBoard::AddError(const absl::Status& error, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const ErrorReason reason = GetErrorInfo(error).reason;
  ++status_.errors[reason];
  std::vector<ports::RecentError>& errors = status_.recent_errors;
  errors.insert(errors.begin(), {now, reason, std::string(error.message())});
  if (errors.size() > kRecentErrors) errors.pop_back();
}

}  // namespace datapy_kafka::engine
