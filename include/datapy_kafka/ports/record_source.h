// A member of a consumer group, seen from the engine.
//
// One RecordSource belongs to one session and is used on that session's engine
// thread alone; nothing in it blocks unless its comment says so. The adapter
// calls the `wake` function that it was made with (any thread, cheap, may be
// spurious) when Poll has something to return.
//
//   source->Subscribe();
//   for (SourceEvent& event : source->Poll(1024, 1 << 20)) ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/record.h"

namespace datapy_kafka::ports {

// Partitions were added and are being read. `offset`: where reading begins,
// kNoOffset when that is not known yet.
using PartitionsAssigned = delivery::Assigned;

// Partitions are to be given up. Not lost: the source keeps them until
// FinishRevoke. Lost: they are gone already and a commit would be refused; the
// source still waits for FinishRevoke before it takes part in the next
// generation. A further revocation never comes before that call.
using PartitionsRevoked = delivery::Revoked;

// Records of one partition, in offset order.
struct RecordsPolled {
  TopicPartition tp;
  std::vector<RecordPtr> records;
};

// What became of one commit. `status` OK, or an error with its reason.
struct CommitOutcome {
  PartitionOffset position;
  absl::Status status;
  // Worth another try: the coordinator is loading or moving, a time-out.
  bool retriable = false;
  // The assignment is gone: forget it, it is no failure.
  bool stale = false;
};

// An asynchronous commit ended.
struct CommitFinished {
  std::vector<CommitOutcome> outcomes;
};

// A broker or the group reports trouble. `fatal`: the source is of no more use.
struct SourceTrouble {
  absl::Status status;
  bool fatal = false;
};

using SourceEvent =
    std::variant<PartitionsAssigned, PartitionsRevoked, RecordsPolled, CommitFinished, SourceTrouble>;

// How far a partition has been read, from what the client holds in memory.
struct PartitionProgress {
  TopicPartition tp;
  // The offset after the last record or control record that Poll passed;
  // kNoOffset before the first.
  Offset position = kNoOffset;
  // The partition's end, kNoOffset when no fetch has told it yet.
  Offset high_watermark = kNoOffset;
};

class RecordSource {
 public:
  virtual ~RecordSource() = default;

  // Joins the group. Once.
  virtual absl::Status Subscribe() = 0;

  // What has happened, oldest first, with at most about these many records of
  // readable partitions. Empty when there is nothing; a full answer means there
  // may be more. Group events come even when no partition is readable.
  virtual std::vector<SourceEvent> Poll(size_t max_records, size_t max_bytes) = 0;

  // Whether Poll may return records of a partition. New partitions are
  // readable. Loses and repeats nothing; what is fetched stays where it is.
  virtual void SetReadable(const TopicPartition& tp, bool readable) = 0;

  // Gives up the partitions of the last PartitionsRevoked.
  virtual void FinishRevoke() = 0;

  // Commits; the outcome comes as CommitFinished. One at a time: the caller
  // waits for the outcome before the next.
  virtual void CommitAsync(const std::vector<PartitionOffset>& positions) = 0;

  // Commits and waits for the broker, `timeout` at most.
  virtual std::vector<CommitOutcome> CommitSync(const std::vector<PartitionOffset>& positions,
                                                absl::Duration timeout) = 0;

  // Progress of every partition that is assigned. Local, no request is sent.
  virtual std::vector<PartitionProgress> Progress() = 0;

  // How long a rebalance may take before the group drops this member.
  virtual absl::Duration MaxPollInterval() const = 0;

  // Leaves the group. Blocks for `timeout` at most; false when it ran out and
  // the rest goes on in the background. Nothing else may be called afterwards;
  // the destructor frees the client, which may take some 100 ms.
  virtual bool Close(absl::Duration timeout) = 0;
};

}  // namespace datapy_kafka::ports
