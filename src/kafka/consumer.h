// A consumer group member on librdkafka: ports::RecordSource.
//
// Partition queues are kept apart from the consumer's queue
// (rd_kafka_queue_forward(NULL) before assign, which librdkafka keeps to), so
// that holding a partition back is not reading its queue: nothing is paused, no
// prefetch is purged, and group events always come. Never busy: librdkafka
// calls `wake` when a queue goes from empty to non-empty, and a caller whose
// Poll came back full polls again.
//
// The engine thread alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_source.h"
#include "kafka/client.h"
#include "kafka/committer.h"
#include "kafka/fetch_nudge.h"
#include "kafka/rd_handles.h"
#include "kafka/trouble_filter.h"

namespace datapy_kafka::kafka {

class Consumer final : public ports::RecordSource {
 public:
  static absl::StatusOr<std::unique_ptr<ports::RecordSource>> Make(const config::SessionOptions& options,
                                                                   std::function<void()> wake);
  ~Consumer() override;

  absl::Status Subscribe() override;
  std::vector<ports::SourceEvent> Poll(size_t max_records, size_t max_bytes) override;
  void SetReadable(const TopicPartition& tp, bool readable) override;
  void FinishRevoke() override;
  void CommitAsync(const std::vector<PartitionOffset>& positions) override;
  std::vector<ports::CommitOutcome> CommitSync(const std::vector<PartitionOffset>& positions,
                                               absl::Duration timeout) override;
  std::vector<ports::PartitionProgress> Progress() override;
  absl::Duration MaxPollInterval() const override { return max_poll_interval_; }
  bool Close(absl::Duration timeout) override;

 private:
  using Events = std::vector<ports::SourceEvent>;

  struct Partition {
    explicit Partition(const QueueWatch::Limits& limits) : watch(limits) {}

    TopicPartition tp;
    QueuePtr queue;
    int64_t begin = RD_KAFKA_OFFSET_INVALID;  // what it was assigned with: pinned, or to be looked up
    bool readable = true;
    QueueWatch watch;
  };

  // A revocation that waits for FinishRevoke.
  struct Revocation {
    PartitionListPtr partitions;
    bool cooperative = false;
  };

  // What is left of a Poll.
  struct Budget {
    size_t records;
    size_t bytes;
    bool spent() const { return records == 0 || bytes == 0; }
  };

  Consumer(const config::SessionOptions& options, std::shared_ptr<Client> client,
           std::shared_ptr<CommitGate> gate, absl::Duration max_poll_interval);

  void ServeGroup(Events& events);
  void OnRebalance(rd_kafka_event_t* event, Events& events);
  void OnAssign(const rd_kafka_topic_partition_list_t* partitions, Events& events);
  void OnRevoke(const rd_kafka_topic_partition_list_t* partitions, Events& events);
  // Assigns what has no position again, when librdkafka could not look up where
  // to begin: it reports that once and does not try again (as of 2.8).
  void RestartUnpositioned();
  void ReadTurn(Partition& partition, Budget& budget, Events& events);
  void Report(rd_kafka_resp_err_t code, absl::string_view text, const std::string& topic, bool fatal,
              Events& events);
  // Whether nothing is known to come behind what was read.
  bool IsAtEnd(const TopicPartition& tp, const std::vector<ports::RecordPtr>& read) const;
  // Has fetching for the partition go on at once.
  void Nudge(const TopicPartition& tp);
  // With `latest`: writes where reading begins into the partitions that have no
  // committed offset, so that it can be committed. Blocks, boundedly.
  void PinLatest(rd_kafka_topic_partition_list_t* partitions);
  bool IsCooperative() const;
  Partition* Find(absl::string_view topic, int32_t partition);
  void Forget(const rd_kafka_topic_partition_list_t* partitions);
  // Runs librdkafka's side of leaving the group until done or `deadline`.
  bool LeaveGroup(absl::Time deadline);

  const std::vector<std::string> topics_;
  const config::OffsetReset auto_offset_reset_;
  const absl::Duration max_poll_interval_;

  // Queues and lists go before the client.
  std::shared_ptr<Client> client_;
  const QueueWatch::Limits queue_limits_;
  std::unique_ptr<FetchNudge> nudge_;
  QueuePtr group_queue_;
  std::unique_ptr<Committer> commits_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  size_t next_partition_ = 0;  // whose turn it is
  size_t turn_left_;           // records of that turn
  std::optional<Revocation> revocation_;
  std::optional<absl::Time> restart_at_;  // for RestartUnpositioned
  Events pending_;                        // found outside Poll
  TroubleFilter troubles_;
  bool fatal_reported_ = false;
};

}  // namespace datapy_kafka::kafka
