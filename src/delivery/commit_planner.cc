#include "delivery/commit_planner.h"

#include <utility>

namespace datapy_kafka::delivery {

void CommitPlanner::Offer(const PartitionOffset& position, Epoch epoch) {
  pending_.insert_or_assign(position.tp, Plan{position, epoch});
}

void CommitPlanner::Drop(const TopicPartition& tp) {
  pending_.erase(tp);
  if (const auto it = sent_.find(tp); it != sent_.end()) it->second.dropped = true;
}

std::vector<PartitionOffset> CommitPlanner::Take() {
  std::vector<PartitionOffset> positions;
  if (on_the_wire_ || pending_.empty()) return positions;
  sent_ = std::exchange(pending_, {});
  on_the_wire_ = true;
  positions.reserve(sent_.size());
  for (const auto& [tp, plan] : sent_) positions.push_back(plan.position);
  return positions;
}

std::vector<CommitPlanner::Confirmation> CommitPlanner::Settle(const std::vector<SettledCommit>& outcomes) {
  std::vector<Confirmation> confirmed;
  for (const SettledCommit& outcome : outcomes) {
    const PartitionOffset& position = outcome.position;
    if (outcome.verdict == CommitVerdict::kDone) last_[position.tp] = position;
    const auto it = sent_.find(position.tp);
    if (it == sent_.end() || it->second.position.offset != position.offset) continue;
    Plan plan = std::move(it->second);
    sent_.erase(it);
    switch (outcome.verdict) {
      case CommitVerdict::kDone:
        confirmed.push_back({position.tp, position.offset, plan.epoch});
        break;
      case CommitVerdict::kRetry:
        PutBack(std::move(plan));
        break;
      case CommitVerdict::kStale:
      case CommitVerdict::kFailed:
        break;
    }
  }
  if (on_the_wire_) {
    for (auto& [tp, plan] : sent_) PutBack(std::move(plan));
  }
  sent_.clear();
  on_the_wire_ = false;
  return confirmed;
}

// What has been offered since is further on, or of a newer assignment.
void CommitPlanner::PutBack(Plan plan) {
  if (plan.dropped) return;
  TopicPartition tp = plan.position.tp;
  pending_.emplace(std::move(tp), std::move(plan));
}

std::vector<PartitionOffset> CommitPlanner::last_commits() const {
  std::vector<PartitionOffset> commits;
  commits.reserve(last_.size());
  for (const auto& [tp, position] : last_) commits.push_back(position);
  return commits;
}

}  // namespace datapy_kafka::delivery
