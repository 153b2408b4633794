#include "kafka/consumer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "kafka/client_conf.h"
#include "kafka/commit_lists.h"
#include "kafka/record_view.h"

namespace datapy_kafka::kafka {
namespace {

// Records that are read of a partition before it is the next one's turn.
constexpr size_t kTurn = 1024;
// How often a closing consumer is asked whether it is closed: librdkafka has an
// event for all that leads there, but not for the end itself.
constexpr int kCloseCheckMs = 5;
// How long a destructor waits for its client.
constexpr absl::Duration kDestroyGrace = absl::Seconds(2);
// How librdkafka begins to say that it does not know where to begin, for one
// partition or for several.
constexpr absl::string_view kLookupFailed = "Failed to fetch committed offset";
// It looks for the new coordinator meanwhile.
constexpr absl::Duration kRestartDelay = absl::Milliseconds(500);

// How often a blocking commit looks whether it may be sent.
constexpr absl::Duration kGateCheck = absl::Milliseconds(10);

// "Subscribed topic not available: orders: Broker: Unknown topic or partition".
std::string TopicOf(absl::string_view text) {
  constexpr absl::string_view kIntro = "ot available: ";
  const size_t begin = text.find(kIntro);
  if (begin == absl::string_view::npos) return "";
  text.remove_prefix(begin + kIntro.size());
  return std::string(text.substr(0, text.find(':')));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ports::RecordSource>> Consumer::Make(const config::SessionOptions& options,
                                                                    std::function<void()> wake) {
  absl::StatusOr<ConfPtr> conf = ConsumerConf(options);
  if (!conf.ok()) return conf.status();
  int64_t max_poll_ms = 300'000;
  (void)absl::SimpleAtoi(GetSetting(conf->get(), "max.poll.interval.ms"), &max_poll_ms);
  Client::Surroundings surroundings = SurroundingsOf(options.connection, std::move(wake));
  std::shared_ptr<CommitGate> gate;
  if (CommitGate::IsNeeded(conf->get())) {
    gate = std::make_shared<CommitGate>();
    gate->Install(conf->get());
    surroundings.keep_alive = gate;
  }
  absl::StatusOr<std::shared_ptr<Client>> client =
      Client::Make(RD_KAFKA_CONSUMER, *std::move(conf), std::move(surroundings));
  if (!client.ok()) return client.status();
  return std::unique_ptr<ports::RecordSource>(
      new Consumer(options, *std::move(client), std::move(gate), absl::Milliseconds(max_poll_ms)));
}

Consumer::Consumer(const config::SessionOptions& options, std::shared_ptr<Client> client,
                   std::shared_ptr<CommitGate> gate, absl::Duration max_poll_interval)
    : topics_(options.topics),
      auto_offset_reset_(options.auto_offset_reset),
      max_poll_interval_(max_poll_interval),
      client_(std::move(client)),
      queue_limits_(QueueLimits(client_->rk())),
      commits_(std::make_unique<Committer>(client_, std::move(gate))),
      turn_left_(kTurn) {
  rd_kafka_poll_set_consumer(client_->rk());
  group_queue_.reset(rd_kafka_queue_get_consumer(client_->rk()));
  client_->WakeOn(group_queue_.get());
}

Consumer::~Consumer() {
  if (group_queue_ != nullptr) Close(absl::ZeroDuration());
  nudge_.reset();
  // Records that the job still reads may hold the client a little longer.
  (void)ReleaseAndWait(std::move(client_), kDestroyGrace);
}

absl::Status Consumer::Subscribe() {
  PartitionListPtr list = NewPartitionList(topics_.size());
  for (const std::string& topic : topics_) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(client_->rk(), list.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  if (code == RD_KAFKA_RESP_ERR__INVALID_ARG) {
    return ErrorBuilder(ErrorReason::kInvalidArgument)
        .Build(
            "librdkafka refuses the topics: a name is empty, stands twice or is not a valid regular "
            "expression");
  }
  return client_->Explain(code, "").ToStatus();
}

std::vector<ports::SourceEvent> Consumer::Poll(size_t max_records, size_t max_bytes) {
  Events events = std::exchange(pending_, {});
  // Always, for it is also what tells librdkafka that the application lives.
  for (ports::CommitFinished& finished : commits_->TakeAnswered()) events.emplace_back(std::move(finished));
  ServeGroup(events);
  commits_->SendDue();
  if (restart_at_.has_value() && absl::Now() >= *restart_at_) RestartUnpositioned();
  if (max_records == 0 || max_bytes == 0) return events;
  // In turns, and one that the budget cuts short goes on with the next Poll:
  // long runs of one partition cost the daemon and the job less than a few
  // records of each, and nobody is passed over whatever the budgets are.
  Budget budget{max_records, max_bytes};
  for (size_t i = 0; i < partitions_.size() && !budget.spent(); ++i) {
    Partition& one = *partitions_[next_partition_ % partitions_.size()];
    if (one.readable) ReadTurn(one, budget, events);
    if (budget.spent() && turn_left_ > 0) break;
    ++next_partition_;
    turn_left_ = kTurn;
  }
  return events;
}

void Consumer::ReadTurn(Partition& partition, Budget& budget, Events& events) {
  ports::RecordsPolled polled;
  const auto length = [&partition] { return rd_kafka_queue_length(partition.queue.get()); };
  const size_t queued = length();
  size_t bytes = 0;
  // Singly: before librdkafka 2.1 batch reads could skip records when a
  // rebalance ran beside them.
  while (turn_left_ > 0 && !budget.spent() && length() > 0) {
    rd_kafka_message_t* message = rd_kafka_consume_queue(partition.queue.get(), 0);
    if (message == nullptr) break;  // only control records, which move the position
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* text = rd_kafka_message_errstr(message);
      Report(message->err, text == nullptr ? "" : text, ToString(partition.tp), false, events);
      rd_kafka_message_destroy(message);
      continue;
    }
    ports::RecordPtr record = MakeRecord(message, client_);
    --turn_left_;
    --budget.records;
    budget.bytes -= std::min(budget.bytes, record->SizeBytes());
    bytes += record->SizeBytes();
    polled.records.push_back(std::move(record));
  }
  if constexpr (kNeedsFetchNudge) {
    // Control records count as well, which are read unseen.
    const size_t left = length();
    partition.watch.Read(std::max(polled.records.size(), queued > left ? queued - left : 0), bytes);
    if (partition.watch.Asks([&] { return left == 0 && IsAtEnd(partition.tp, polled.records); }))
      Nudge(partition.tp);
  }
  if (polled.records.empty()) return;
  polled.tp = partition.tp;
  events.emplace_back(std::in_place_type<ports::RecordsPolled>, std::move(polled));
}

bool Consumer::IsAtEnd(const TopicPartition& tp, const std::vector<ports::RecordPtr>& read) const {
  if (read.empty()) return false;
  int64_t low = 0;
  int64_t high = 0;
  rd_kafka_get_watermark_offsets(client_->rk(), tp.topic.c_str(), tp.partition, &low, &high);
  return read.back()->offset.value() + 1 >= high;
}

void Consumer::Nudge(const TopicPartition& tp) {
  if (nudge_ == nullptr) nudge_ = std::make_unique<FetchNudge>(client_);
  nudge_->Ask(tp);
}

void Consumer::ServeGroup(Events& events) {
  while (const EventPtr event{rd_kafka_queue_poll(group_queue_.get(), 0)}) {
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_REBALANCE:
        OnRebalance(event.get(), events);
        break;
      case RD_KAFKA_EVENT_ERROR: {
        const absl::string_view text = rd_kafka_event_error_string(event.get());
        if (absl::StartsWith(text, kLookupFailed)) restart_at_ = absl::Now() + kRestartDelay;
        Report(rd_kafka_event_error(event.get()), text, TopicOf(text),
               rd_kafka_event_error_is_fatal(event.get()) != 0, events);
        break;
      }
      default:
        break;  // statistics that a property asked for
    }
  }
}

void Consumer::Report(rd_kafka_resp_err_t code, absl::string_view text, const std::string& topic, bool fatal,
                      Events& events) {
  if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF || code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) return;
  if (fatal) {
    if (!std::exchange(fatal_reported_, true))
      events.emplace_back(std::in_place_type<ports::SourceTrouble>,
                          ports::SourceTrouble{client_->FatalError(), true});
    return;
  }
  TranslatedError error = client_->Explain(code, text);
  // A cut connection may be a broker that stops: no reason to end a session.
  if (error.reason == ErrorReason::kTlsHandshakeFailed && error.retriable) {
    error.reason = ErrorReason::kBrokerUnreachable;
  }
  fatal = error.reason == ErrorReason::kNoCommittedOffset;
  if (!troubles_.Admit(error.reason, topic, absl::Now())) return;
  if (!topic.empty() && error.message.find(topic) == std::string::npos) {
    error.message = absl::StrCat(topic, ": ", error.message);
  }
  ErrorBuilder builder(error.reason);
  if (!error.broker.empty()) builder.Broker(error.broker);
  if (!topic.empty()) builder.Topic(topic.substr(0, topic.find('[')));
  events.emplace_back(std::in_place_type<ports::SourceTrouble>,
                      ports::SourceTrouble{builder.Build(error.message), fatal});
}

void Consumer::SetReadable(const TopicPartition& tp, bool readable) {
  if (Partition* partition = Find(tp.topic, tp.partition)) partition->readable = readable;
}

void Consumer::CommitAsync(const std::vector<PartitionOffset>& positions) { commits_->Start(positions); }

std::vector<ports::CommitOutcome> Consumer::CommitSync(const std::vector<PartitionOffset>& positions,
                                                       absl::Duration timeout) {
  if (positions.empty()) return {};
  const absl::Time deadline = absl::Now() + timeout;
  const absl::Time patience = deadline - timeout / 2;
  while (commits_->joining() && absl::Now() < patience) {
    absl::SleepFor(kGateCheck);
    ServeGroup(pending_);
  }
  const auto is_gone = [this](const PartitionOffset& one) {
    return Find(one.tp.topic, one.tp.partition) == nullptr;
  };
  if (std::any_of(positions.begin(), positions.end(), is_gone)) {
    return ToOutcomes(*client_, positions, nullptr, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
  }
  return commits_->Commit(positions, patience, deadline);
}

std::vector<ports::PartitionProgress> Consumer::Progress() {
  if (partitions_.empty()) return {};
  PartitionListPtr list = NewPartitionList(partitions_.size());
  for (const auto& partition : partitions_) {
    rd_kafka_topic_partition_list_add(list.get(), partition->tp.topic.c_str(), partition->tp.partition);
  }
  rd_kafka_position(client_->rk(), list.get());
  std::vector<ports::PartitionProgress> progress;
  progress.reserve(partitions_.size());
  for (int i = 0; i < list->cnt; ++i) {
    ports::PartitionProgress one;
    one.tp = partitions_[static_cast<size_t>(i)]->tp;
    if (list->elems[i].offset >= 0) one.position = Offset(list->elems[i].offset);
    int64_t low = RD_KAFKA_OFFSET_INVALID;
    int64_t high = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_get_watermark_offsets(client_->rk(), one.tp.topic.c_str(), one.tp.partition, &low, &high);
    if (high >= 0) one.high_watermark = Offset(high);
    progress.push_back(std::move(one));
  }
  return progress;
}

bool Consumer::Close(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  if (revocation_.has_value()) FinishRevoke();
  const bool left = LeaveGroup(deadline);
  revocation_.reset();
  pending_.clear();
  partitions_.clear();
  commits_.reset();
  group_queue_.reset();
  return left;
}

bool Consumer::LeaveGroup(absl::Time deadline) {
  const QueuePtr queue(rd_kafka_queue_new(client_->rk()));
  const RdErrorPtr error(rd_kafka_consumer_close_queue(client_->rk(), queue.get()));
  // After a fatal error there is no group to leave.
  if (error != nullptr) return rd_kafka_error_is_fatal(error.get()) != 0;
  while (!rd_kafka_consumer_closed(client_->rk())) {
    if (absl::Now() >= deadline) return false;
    const EventPtr event(rd_kafka_queue_poll(queue.get(), kCloseCheckMs));
    if (event == nullptr || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
    // What was acked is committed: the partitions go at once.
    if (rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && IsCooperative()) {
      const RdErrorPtr refused(
          rd_kafka_incremental_unassign(client_->rk(), rd_kafka_event_topic_partition_list(event.get())));
      if (refused == nullptr) continue;
    }
    rd_kafka_assign(client_->rk(), nullptr);
  }
  return true;
}

}  // namespace datapy_kafka::kafka
