#include "kafka/committer.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "kafka/commit_lists.h"

namespace datapy_kafka::kafka {
namespace {

int RestMs(absl::Time deadline) {
  return static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - absl::Now())));
}

}  // namespace

Committer::Committer(std::shared_ptr<Client> client, std::shared_ptr<CommitGate> gate)
    : client_(std::move(client)), gate_(std::move(gate)), queue_(rd_kafka_queue_new(client_->rk())) {
  client_->WakeOn(queue_.get());
}

void Committer::Start(const std::vector<PartitionOffset>& positions) {
  under_way_ = positions;
  held_ = MustHold();
  if (!held_) Send();
}

void Committer::Send() {
  held_ = false;
  if (gate_ != nullptr) gate_->CommitSent(absl::Now());
  const PartitionListPtr list = ToCommitList(under_way_);
  const rd_kafka_resp_err_t code =
      rd_kafka_commit_queue(client_->rk(), list.get(), queue_.get(), nullptr, nullptr);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) Fail(code);
}

void Committer::Fail(rd_kafka_resp_err_t code) {
  held_ = false;
  answered_.push_back({ToOutcomes(*client_, std::exchange(under_way_, {}), nullptr, code)});
  client_->Wake();
}

void Committer::OnAnswer(rd_kafka_event_t* event) {
  if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_OFFSET_COMMIT) return;
  answered_.push_back({ToOutcomes(*client_, std::exchange(under_way_, {}),
                                  rd_kafka_event_topic_partition_list(event), rd_kafka_event_error(event))});
}

std::vector<ports::CommitFinished> Committer::TakeAnswered() {
  while (const EventPtr event{rd_kafka_queue_poll(queue_.get(), 0)}) OnAnswer(event.get());
  return std::exchange(answered_, {});
}

void Committer::SendDue() {
  if (held_ && !MustHold()) Send();
}

void Committer::AwaitAnswer(absl::Time deadline) {
  while (!under_way_.empty()) {
    const EventPtr event(rd_kafka_queue_poll(queue_.get(), RestMs(deadline)));
    if (event == nullptr) return;
    OnAnswer(event.get());
  }
}

std::vector<ports::CommitOutcome> Committer::Commit(const std::vector<PartitionOffset>& positions,
                                                    absl::Time patience, absl::Time deadline) {
  SendHeld();
  AwaitAnswer(patience);
  if (gate_ != nullptr) gate_->CommitSent(absl::Now());
  const PartitionListPtr list = ToCommitList(positions);
  // A queue of its own, so that an answer that comes too late goes nowhere.
  const QueuePtr queue(rd_kafka_queue_new(client_->rk()));
  const rd_kafka_resp_err_t code =
      rd_kafka_commit_queue(client_->rk(), list.get(), queue.get(), nullptr, nullptr);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return ToOutcomes(*client_, positions, nullptr, code);
  const EventPtr event(rd_kafka_queue_poll(queue.get(), RestMs(deadline)));
  if (event == nullptr) return ToOutcomes(*client_, positions, nullptr, RD_KAFKA_RESP_ERR__TIMED_OUT);
  return ToOutcomes(*client_, positions, rd_kafka_event_topic_partition_list(event.get()),
                    rd_kafka_event_error(event.get()));
}

void Committer::SendHeld() {
  if (held_) Send();
}

void Committer::DropHeld() {
  if (held_) Fail(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
}

void Committer::RebalanceSeen() {
  if (gate_ != nullptr) gate_->RebalanceSeen();
}

}  // namespace datapy_kafka::kafka
