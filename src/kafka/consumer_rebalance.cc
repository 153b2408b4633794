// Assignments and revocations of a Consumer.
//
// librdkafka pauses the group's business until the application has called
// assign or unassign; that need not be in the call that brings the event, which
// is what lets a revocation wait for the job's acks.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kafka/consumer.h"

namespace datapy_kafka::kafka {
namespace {

// What looking up the beginning may block the engine thread, in all.
constexpr absl::Duration kPinTimeout = absl::Seconds(5);

}  // namespace

bool Consumer::IsCooperative() const {
  const char* protocol = rd_kafka_rebalance_protocol(client_->rk());
  return protocol != nullptr && absl::string_view(protocol) == "COOPERATIVE";
}

Consumer::Partition* Consumer::Find(absl::string_view topic, int32_t partition) {
  for (const auto& one : partitions_) {
    if (one->tp.partition == partition && one->tp.topic == topic) return one.get();
  }
  return nullptr;
}

void Consumer::Forget(const rd_kafka_topic_partition_list_t* partitions) {
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& gone = partitions->elems[i];
    std::erase_if(partitions_, [&gone](const auto& one) {
      return one->tp.partition == gone.partition && one->tp.topic == gone.topic;
    });
  }
}

void Consumer::OnRebalance(rd_kafka_event_t* event, Events& events) {
  commits_->RebalanceSeen();
  const rd_kafka_topic_partition_list_t* partitions = rd_kafka_event_topic_partition_list(event);
  switch (rd_kafka_event_error(event)) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
      return OnAssign(partitions, events);
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
      return OnRevoke(partitions, events);
    default:
      spdlog::warn("rebalance failed: {}; the member starts over",
                   rd_kafka_err2str(rd_kafka_event_error(event)));
      rd_kafka_assign(client_->rk(), nullptr);
  }
}

void Consumer::OnAssign(const rd_kafka_topic_partition_list_t* partitions, Events& events) {
  // A lookup that failed for earlier partitions says nothing of these.
  restart_at_.reset();
  const PartitionListPtr list(rd_kafka_topic_partition_list_copy(partitions));
  if (auto_offset_reset_ == config::OffsetReset::kLatest && list->cnt > 0) PinLatest(list.get());
  ports::PartitionsAssigned assigned;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = list->elems[i];
    auto partition = std::make_unique<Partition>(queue_limits_);
    partition->tp = {entry.topic, entry.partition};
    partition->begin = entry.offset;
    partition->queue.reset(rd_kafka_queue_get_partition(client_->rk(), entry.topic, entry.partition));
    // Before assign, which would forward the queue to the group's otherwise.
    rd_kafka_queue_forward(partition->queue.get(), nullptr);
    client_->WakeOn(partition->queue.get());
    assigned.partitions.push_back(
        {partition->tp, entry.offset >= 0 ? Offset(entry.offset) : kNoOffset, kNoLeaderEpoch});
    troubles_.TopicSeen(partition->tp.topic);
    partitions_.push_back(std::move(partition));
  }
  if (IsCooperative()) {
    if (const RdErrorPtr refused{rd_kafka_incremental_assign(client_->rk(), list.get())}) {
      spdlog::warn("assigning {} partitions failed: {}; the member starts over", list->cnt,
                   rd_kafka_error_string(refused.get()));
      Forget(list.get());
      rd_kafka_assign(client_->rk(), nullptr);
      return;
    }
  } else {
    rd_kafka_assign(client_->rk(), list.get());
  }
  events.emplace_back(std::in_place_type<ports::PartitionsAssigned>, std::move(assigned));
}

void Consumer::RestartUnpositioned() {
  restart_at_.reset();
  // What is being given up begins elsewhere.
  if (partitions_.empty() || revocation_.has_value()) return;
  const PartitionListPtr all = NewPartitionList(partitions_.size());
  for (const auto& one : partitions_) {
    rd_kafka_topic_partition_list_add(all.get(), one->tp.topic.c_str(), one->tp.partition);
  }
  rd_kafka_position(client_->rk(), all.get());
  const PartitionListPtr unpositioned = NewPartitionList(partitions_.size());
  for (int i = 0; i < all->cnt; ++i) {
    rd_kafka_topic_partition_t& entry = all->elems[i];
    if (entry.offset >= 0) continue;  // read from: it goes on there
    entry.offset = partitions_[static_cast<size_t>(i)]->begin;
    rd_kafka_topic_partition_list_add(unpositioned.get(), entry.topic, entry.partition)->offset = entry.offset;
  }
  if (unpositioned->cnt == 0) return;
  spdlog::debug("looking up again where {} partitions begin", unpositioned->cnt);
  if (!IsCooperative()) {
    // The eager protocol takes whole assignments alone.
    rd_kafka_assign(client_->rk(), all.get());
    return;
  }
  RdErrorPtr refused(rd_kafka_incremental_unassign(client_->rk(), unpositioned.get()));
  if (refused == nullptr) refused.reset(rd_kafka_incremental_assign(client_->rk(), unpositioned.get()));
  if (refused != nullptr) {
    spdlog::warn("looking up again where {} partitions begin failed: {}", unpositioned->cnt,
                 rd_kafka_error_string(refused.get()));
  }
}

void Consumer::PinLatest(rd_kafka_topic_partition_list_t* partitions) {
  const absl::Time deadline = absl::Now() + kPinTimeout;
  const auto rest_ms = [deadline] {
    return static_cast<int>(std::max<int64_t>(1, absl::ToInt64Milliseconds(deadline - absl::Now())));
  };
  const PartitionListPtr committed(rd_kafka_topic_partition_list_copy(partitions));
  rd_kafka_resp_err_t code = rd_kafka_committed(client_->rk(), committed.get(), rest_ms());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const PartitionListPtr ends = NewPartitionList(static_cast<size_t>(committed->cnt));
    for (int i = 0; i < committed->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = committed->elems[i];
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR || entry.offset >= 0) continue;
      rd_kafka_topic_partition_list_add(ends.get(), entry.topic, entry.partition)->offset = RD_KAFKA_OFFSET_END;
    }
    if (ends->cnt == 0) return;
    code = rd_kafka_offsets_for_times(client_->rk(), ends.get(), rest_ms());
    for (int i = 0; i < ends->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      const rd_kafka_topic_partition_t& end = ends->elems[i];
      if (end.err != RD_KAFKA_RESP_ERR_NO_ERROR || end.offset < 0) continue;
      rd_kafka_topic_partition_list_set_offset(partitions, end.topic, end.partition, end.offset);
    }
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    spdlog::warn(
        "cannot look up where auto_offset_reset latest begins: {}; what arrives before the first commit and "
        "while no "
        "member is there would be skipped",
        rd_kafka_err2str(code));
  }
}

void Consumer::OnRevoke(const rd_kafka_topic_partition_list_t* partitions, Events& events) {
  revocation_ = Revocation{PartitionListPtr(rd_kafka_topic_partition_list_copy(partitions)), IsCooperative()};
  if (partitions->cnt == 0) return FinishRevoke();
  ports::PartitionsRevoked revoked;
  revoked.lost = rd_kafka_assignment_lost(client_->rk()) != 0;
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = partitions->elems[i];
    revoked.partitions.push_back({entry.topic, entry.partition});
    // Nothing of it is read any more, yet its position can be asked for.
    if (Partition* partition = Find(entry.topic, entry.partition)) partition->readable = false;
  }
  if (revoked.lost) {
    Forget(partitions);
    // Sent after joining again it would be taken, over what their new owner committed.
    commits_->DropHeld();
  }
  events.emplace_back(std::in_place_type<ports::PartitionsRevoked>, std::move(revoked));
}

void Consumer::FinishRevoke() {
  if (!revocation_.has_value()) return;
  const Revocation revocation = *std::exchange(revocation_, std::nullopt);
  Forget(revocation.partitions.get());
  // Before another owner can begin.
  commits_->SendHeld();
  if (revocation.cooperative) {
    const RdErrorPtr refused(rd_kafka_incremental_unassign(client_->rk(), revocation.partitions.get()));
    if (refused == nullptr) return;
    spdlog::warn("giving up {} partitions failed: {}; the member starts over", revocation.partitions->cnt,
                 rd_kafka_error_string(refused.get()));
  }
  rd_kafka_assign(client_->rk(), nullptr);
}

}  // namespace datapy_kafka::kafka
