// What the daemon is doing, as a plain snapshot: made by the engine, shown by
// rpc (GetStatus) and telemetry (metrics). Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/base/types.h"
#include "datapy_kafka/ports/session.h"

namespace datapy_kafka::ports {

// Values equal those of the API's SessionState.
enum class SessionState : int { kUnspecified = 0, kJoining = 1, kRunning = 2, kRevoking = 3, kDraining = 4 };

// Durations counted in buckets whose upper bounds, in seconds, are
// LatencyHistogram::kBounds; the last bucket has no bound.
struct LatencyHistogram {
  static constexpr std::array<double, 14> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  10,    60};
  std::array<uint64_t, kBounds.size() + 1> counts{};
  double sum_seconds = 0;

  void Observe(absl::Duration duration);
  void Add(const LatencyHistogram& more);
};

// Adds every count of `more`.
void Add(const SessionTotals& more, SessionTotals* sum);

struct PartitionStatus {
  TopicPartition tp;
  Offset position = kNoOffset;
  Offset committed = kNoOffset;
  Offset high_watermark = kNoOffset;
  int64_t lag = -1;
  uint64_t in_flight_records = 0;
  bool retrying = false;
};

struct OldestUnacked {
  TopicPartition tp;
  Offset offset;
  DeliveryId id;
  uint32_t attempt = 1;
  absl::Time delivered_at;
};

struct RecentError {
  absl::Time time;
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string message;
};

// How often, by reason: a bounded number of entries.
using ErrorCounts = std::map<ErrorReason, uint64_t>;

// Adds every count of `more`.
void Add(const ErrorCounts& more, ErrorCounts* sum);

struct SessionStatus {
  std::string session_id;
  std::string client_name;
  std::string client_version;
  std::string connection;
  std::string group_id;
  std::vector<std::string> topics;
  SessionState state = SessionState::kUnspecified;
  absl::Time started_at;
  int failure_mode = 0;  // the API's FailureMode
  uint64_t in_flight_records = 0;
  uint64_t in_flight_bytes = 0;
  uint64_t max_in_flight_records = 0;
  uint64_t max_in_flight_bytes = 0;
  std::optional<OldestUnacked> oldest_unacked;
  double acked_per_second = 0;
  SessionTotals totals;
  std::vector<PartitionStatus> partitions;
  std::vector<RecentError> recent_errors;  // newest first
  ErrorCounts errors;                      // all since it began
  LatencyHistogram commit_latency;         // request to broker's answer
  LatencyHistogram ack_latency;            // delivery to ack
};

struct ProducerStatus {
  std::string connection;
  uint64_t queued_records = 0;
  uint64_t delivered = 0;
  uint64_t failed = 0;
  uint64_t delivered_bytes = 0;
  // Of those that failed, enqueued records of which no job has been told yet.
  uint64_t untold_failures = 0;
};

// Sums are kept for this many names, and for the rest together: what jobs make
// up must not grow the daemon.
inline constexpr size_t kMaxEndedNames = 200;
inline constexpr char kOtherNames[] = "other";

// Sums over the sessions of a group that have ended.
struct EndedSessions {
  std::string group_id;  // kOtherNames beyond kMaxEndedNames
  uint64_t sessions = 0;
  SessionTotals totals;
  ErrorCounts errors;
  LatencyHistogram commit_latency;
  LatencyHistogram ack_latency;
};

struct DaemonStatus {
  std::string version;
  std::string librdkafka_version;
  absl::Time started_at;
  bool draining = false;
  std::vector<SessionStatus> sessions;
  std::vector<ProducerStatus> producers;
  std::vector<std::string> connection_names;
  std::vector<std::string> listen_addresses;
  uint64_t sessions_ended = 0;
  SessionTotals ended_totals;                    // of the sessions that have ended
  std::vector<EndedSessions> ended_groups;       // the same by group
  std::vector<ProducerStatus> closed_producers;  // sums by connection, nothing queued
};

// What a connection check found.
struct ConnectionInfo {
  int broker_count = 0;
  std::vector<std::string> topics;
  std::string cluster_id;
  std::string librdkafka_version;
  absl::Duration duration;
};

}  // namespace datapy_kafka::ports
