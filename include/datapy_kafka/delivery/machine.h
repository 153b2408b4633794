// The delivery core: decides what is delivered, redelivered and committed.
//
// Pure: events in, actions out. No I/O, clock, lock or log; time comes with the
// events and payloads pass through unseen. One machine belongs to one session
// and is used on its engine thread alone.
//
//   DeliveryMachine machine(options);
//   for (Action& action : machine.Handle(now, event)) Carry out in order.
//   Wake again at machine.NextDeadline().
//
// Invariants, whatever order events come in:
//   * A commit of offset X of a partition means: every delivery of the current
//     assignment below X was acked or resolved by the failure policy.
//   * Records of one partition are delivered in offset order; after a nack that
//     is retried, everything after it comes again behind it, in a slow start:
//     the failed record alone, two more with each ack.
//   * An id of an earlier assignment, an id used twice, an unknown id: counted,
//     and nothing else.
//   * Open deliveries never exceed the window, but for one record of any size.
//     Once used up it opens when a quarter is free, so that acks of a few
//     records do not make deliveries of a few (RFC 813, silly windows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"

namespace datapy_kafka::delivery {

// What becomes of a nacked record. Values equal those of the API's FailureMode.
enum class FailureMode : int { kContinue = 1, kRetry = 2, kStop = 3 };

struct MachineOptions {
  FailureMode failure_mode = FailureMode::kContinue;
  uint32_t max_retries = 3;
  std::vector<absl::Duration> backoff;  // the last entry repeats; not empty
  size_t max_in_flight_records = 10'000;
  size_t max_in_flight_bytes = 32u << 20;
  // Runs for the oldest open delivery of each partition, from when it became
  // the oldest: those behind it have not begun.
  std::optional<absl::Duration> ack_timeout;
  absl::Duration drain_timeout = absl::Seconds(30);
  absl::Duration revoke_timeout = absl::Seconds(30);
  // A slow start goes on without acks as well: in this time its limit doubles,
  // for a client that collects records before it acks any.
  absl::Duration slow_start_step = absl::Seconds(1);
  // A window that was used up opens so long after the first ack whatever is
  // free, for a client that holds most of it open.
  absl::Duration reopen_delay = absl::Milliseconds(5);
};

// ---- events -----------------------------------------------------------------

// Partitions were added to the assignment, each with the offset where reading
// begins (kNoOffset: not known).
struct Assigned {
  std::vector<PartitionOffset> partitions;
};

// Partitions are to be handed over (or, when lost, are gone already).
struct Revoked {
  std::vector<TopicPartition> partitions;
  bool lost = false;
};

// A record as the core sees it.
struct PolledRecord {
  Offset offset;
  int32_t leader_epoch = kNoLeaderEpoch;
  size_t size_bytes = 0;
  std::shared_ptr<const void> payload;
};

// Records of one partition, in offset order.
struct Polled {
  TopicPartition tp;
  std::vector<PolledRecord> records;
};

// Reading has passed everything before `position`: with nothing open it can be
// committed, which moves past control records and compacted tails. Every record
// in front of it must have been Polled before: one that comes later makes
// reading start over.
struct PositionReached {
  TopicPartition tp;
  Offset position;
};

// The client acked ids first..last, inclusive.
struct AckRange {
  DeliveryId first;
  DeliveryId last;

  bool operator==(const AckRange&) const = default;
};

struct NackedDelivery {
  DeliveryId id;
  std::string error;
  bool stopping = false;  // never resolved by the policy

  bool operator==(const NackedDelivery&) const = default;
};

struct Acked {
  std::vector<AckRange> ranges;
  std::vector<NackedDelivery> nacks;
};

// The client has dropped what it had not begun of a revocation.
struct Released {
  uint64_t revocation_id = 0;
};

// The outcome of the last CommitOffsets for one partition.
enum class CommitVerdict { kDone, kRetry, kStale, kFailed };
struct SettledCommit {
  PartitionOffset position;
  CommitVerdict verdict = CommitVerdict::kDone;
};
struct CommitSettled {
  std::vector<SettledCommit> outcomes;
};

// Why a session drains; the first one wins. Values equal those of the API's
// StopReason.
enum class DrainCause : int { kClient = 1, kShutdown = 2, kPolicy = 3, kError = 4 };

// End cleanly: no more deliveries, wait for acks. `timeout` bounds the wait.
struct Drain {
  DrainCause cause = DrainCause::kClient;
  absl::Duration timeout = absl::InfiniteDuration();  // besides options.drain_timeout
};

// The client sends no more acks (half-closed), or the stream is broken.
struct ClientDone {};

// Time has passed; see NextDeadline.
struct Tick {};

using Event = std::variant<Assigned, Revoked, Polled, PositionReached, Acked, Released, CommitSettled, Drain,
                           ClientDone, Tick>;

// ---- actions ----------------------------------------------------------------

struct Delivered {
  std::shared_ptr<const void> payload;
  Offset offset;
  uint32_t attempt = 1;
};

// Send records of one partition, with consecutive ids from first_id.
struct Deliver {
  TopicPartition tp;
  DeliveryId first_id;
  std::vector<Delivered> records;
};

// Tell the client that open deliveries of the partition up to `through` are void.
struct Withdraw {
  TopicPartition tp;
  DeliveryId through;
};

// Stop or go on reading a partition.
struct SetReadable {
  TopicPartition tp;
  bool readable = true;
};

// Tell the client of an assignment or a revocation.
struct NotifyAssigned {
  std::vector<PartitionOffset> partitions;
};
struct NotifyRevoked {
  uint64_t revocation_id = 0;  // 0 when lost
  std::vector<TopicPartition> partitions;
  bool lost = false;
};

// Commit, asynchronously; answer with CommitSettled. One at a time.
struct CommitOffsets {
  std::vector<PartitionOffset> positions;
};

// Commit these synchronously, then give the revoked partitions up.
struct FinishRevoke {
  std::vector<PartitionOffset> positions;
};

// A record failed.
enum class FailureOutcome { kSkipped, kRetrying, kStopping, kLeft };
struct ReportFailure {
  TopicPartition tp;
  Offset offset;
  uint32_t attempt = 1;
  std::string error;
  FailureOutcome outcome = FailureOutcome::kSkipped;
  absl::Duration backoff;  // kRetrying
};

// Tell the client that the session drains.
struct NotifyDraining {
  DrainCause cause = DrainCause::kClient;
  absl::Duration timeout;
};

// The session is over: commit these synchronously, close, tell the client.
struct Finish {
  DrainCause cause = DrainCause::kClient;
  std::vector<PartitionOffset> positions;
  // kPolicy: the record that failed and what the job said.
  std::optional<PartitionOffset> failed_record;
  std::string error;
  uint64_t unacked = 0;  // deliveries that stay open
  bool clean = true;     // false: the drain time-out ran out
};

using Action = std::variant<Deliver, Withdraw, SetReadable, NotifyAssigned, NotifyRevoked, CommitOffsets,
                            FinishRevoke, ReportFailure, NotifyDraining, Finish>;

// ---- state that others show -------------------------------------------------

struct Totals {
  uint64_t delivered = 0;
  uint64_t acked = 0;
  uint64_t nacked = 0;
  uint64_t retried = 0;
  uint64_t skipped = 0;
  uint64_t stale_acks = 0;
  uint64_t commits = 0;
  uint64_t rebalances = 0;
  uint64_t delivered_bytes = 0;
};

enum class MachineState { kRunning, kRevoking, kDraining, kFinished };

struct PartitionView {
  TopicPartition tp;
  Offset committed = kNoOffset;  // confirmed by the broker in this session
  Offset committable = kNoOffset;
  Offset first = kNoOffset;  // of the records that were read in this assignment
  size_t in_flight_records = 0;
  bool retrying = false;
};

struct OldestOpen {
  TopicPartition tp;
  Offset offset;
  DeliveryId id;
  uint32_t attempt = 1;
  absl::Time delivered_at;
};

class DeliveryMachine {
 public:
  explicit DeliveryMachine(MachineOptions options);
  ~DeliveryMachine();

  DeliveryMachine(const DeliveryMachine&) = delete;
  DeliveryMachine& operator=(const DeliveryMachine&) = delete;

  // Takes an event in; the actions to carry out, in order. After Finish every
  // event is ignored.
  std::vector<Action> Handle(absl::Time now, Event event);

  // When a Tick is due; InfiniteFuture for never.
  absl::Time NextDeadline() const;

  // How many more records and bytes the window takes: what to poll for.
  size_t free_records() const;
  size_t free_bytes() const;

  MachineState state() const;
  const Totals& totals() const;
  size_t in_flight_records() const;
  size_t in_flight_bytes() const;
  std::optional<OldestOpen> oldest_open() const;
  std::vector<PartitionView> partitions() const;
  // The last confirmed commit of every partition that was ever owned.
  std::vector<PartitionOffset> last_commits() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace datapy_kafka::delivery
