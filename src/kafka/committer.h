// The commits of a Consumer: one that nobody waits for at a time, and those of
// a revocation or an end, which wait for their answer.
//
// librdkafka tries a commit again by itself, and one that it tries again undoes
// a later one: no commit leaves before the one on the wire is answered. In a
// cooperative group commits also keep clear of the joining, see commit_gate.h.
//
// Owned by a Consumer and used on its thread.
#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/ports/record_source.h"
#include "kafka/client.h"
#include "kafka/commit_gate.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

class Committer {
 public:
  // `gate`: null when none is needed.
  Committer(std::shared_ptr<Client> client, std::shared_ptr<CommitGate> gate);

  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // Commits; what became of it comes from TakeAnswered. One at a time.
  void Start(const std::vector<PartitionOffset>& positions);
  // What has ended since the last call.
  std::vector<ports::CommitFinished> TakeAnswered();
  // Sends what is held back when it may be sent by now: call it often, once the
  // group's news has been taken in.
  void SendDue();

  // Commits behind the one that is under way, and waits for the answer: for the
  // one under way until `patience`, for its own until `deadline`.
  std::vector<ports::CommitOutcome> Commit(const std::vector<PartitionOffset>& positions, absl::Time patience,
                                           absl::Time deadline);

  // Sends at once what is held back: others may own its partitions soon.
  void SendHeld();
  // What is held back must not be sent any more: its partitions are lost.
  void DropHeld();

  // The group has told the outcome of a rebalance.
  void RebalanceSeen();
  // Whether the member is joining its group, so that a commit would be refused.
  bool joining() const { return gate_ != nullptr && gate_->joining(); }

 private:
  bool MustHold() const { return gate_ != nullptr && gate_->Closed(absl::Now()); }
  void Send();
  // Ends the commit that is under way, unsent.
  void Fail(rd_kafka_resp_err_t code);
  void OnAnswer(rd_kafka_event_t* event);
  void AwaitAnswer(absl::Time deadline);

  const std::shared_ptr<Client> client_;
  const std::shared_ptr<CommitGate> gate_;
  const QueuePtr queue_;                    // goes before the client
  std::vector<PartitionOffset> under_way_;  // on the wire, or held back
  bool held_ = false;
  std::vector<ports::CommitFinished> answered_;
};

}  // namespace datapy_kafka::kafka
