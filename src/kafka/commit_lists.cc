#include "kafka/commit_lists.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::kafka {
namespace {

absl::Status StatusOf(const Client& client, const PartitionOffset& position, rd_kafka_resp_err_t code) {
  const TranslatedError error = client.Explain(code, "");
  // What has no more telling reason is a failed commit.
  const ErrorReason reason = error.reason == ErrorReason::kKafka ? ErrorReason::kCommitFailed : error.reason;
  return ErrorBuilder(reason)
      .At(position.tp, position.offset)
      .Build(absl::StrCat("committing offset ", position.offset.value(), " of ", ToString(position.tp),
                          " failed: ", error.message));
}

}  // namespace

PartitionListPtr ToCommitList(const std::vector<PartitionOffset>& positions) {
  PartitionListPtr list = NewPartitionList(positions.size());
  for (const PartitionOffset& position : positions) {
    rd_kafka_topic_partition_t* entry =
        rd_kafka_topic_partition_list_add(list.get(), position.tp.topic.c_str(), position.tp.partition);
    entry->offset = position.offset.value();
#if RD_KAFKA_VERSION >= 0x020100ff
    rd_kafka_topic_partition_set_leader_epoch(entry, position.leader_epoch);
#endif
  }
  return list;
}

std::vector<ports::CommitOutcome> ToOutcomes(const Client& client,
                                             const std::vector<PartitionOffset>& positions,
                                             const rd_kafka_topic_partition_list_t* list,
                                             rd_kafka_resp_err_t code) {
  std::vector<ports::CommitOutcome> outcomes;
  outcomes.reserve(positions.size());
  for (const PartitionOffset& position : positions) {
    rd_kafka_resp_err_t own = code;
    if (list != nullptr) {
      const rd_kafka_topic_partition_t* entry =
          rd_kafka_topic_partition_list_find(list, position.tp.topic.c_str(), position.tp.partition);
      if (entry != nullptr && entry->err != RD_KAFKA_RESP_ERR_NO_ERROR) own = entry->err;
    }
    ports::CommitOutcome outcome;
    outcome.position = position;
    const CommitClass verdict = ClassifyCommit(own);
    outcome.retriable = verdict == CommitClass::kRetriable;
    outcome.stale = verdict == CommitClass::kStale;
    if (verdict != CommitClass::kDone) outcome.status = StatusOf(client, position, own);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace datapy_kafka::kafka
