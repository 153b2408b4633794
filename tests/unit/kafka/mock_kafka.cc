#include "unit/kafka/mock_kafka.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace datapy_kafka::kafka {
namespace {

class TearDowns : public testing::Environment {
 public:
  struct Guarded {
    absl::Mutex mutex;
    std::vector<std::thread> threads;
  };

  static Guarded& All() {
    static Guarded guarded;
    return guarded;
  }

  static void Add(std::function<void()> work) {
    absl::MutexLock lock(&All().mutex);
    All().threads.emplace_back(std::move(work));
  }

  void TearDown() override {
    absl::MutexLock lock(&All().mutex);
    for (std::thread& thread : All().threads) thread.join();
    All().threads.clear();
  }
};

[[maybe_unused]] testing::Environment* const kTearDowns = testing::AddGlobalTestEnvironment(new TearDowns);

}  // namespace

MockKafka::MockKafka(int brokers) {
  char text[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rk_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
  cluster_ = rd_kafka_mock_cluster_new(rk_, brokers);
#if RD_KAFKA_VERSION >= 0x020600ff
  rd_kafka_mock_group_initial_rebalance_delay_ms(cluster_, 500);
#endif
}

MockKafka::~MockKafka() {
  // Takes a second; joined when all tests are done.
  TearDowns::Add([rk = rk_, cluster = cluster_] {
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(rk);
  });
}

config::ConnectionOptions MockKafka::Connection() const {
  config::ConnectionOptions connection;
  connection.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster_);
  return connection;
}

config::SessionOptions MockKafka::Session(const std::string& group, std::vector<std::string> topics) const {
  config::SessionOptions session;
  session.connection = Connection();
  session.group_id = group;
  session.topics = std::move(topics);
  session.properties["session.timeout.ms"] = "6000";
  session.properties["heartbeat.interval.ms"] = "500";
  return session;
}

void MockKafka::CreateTopic(const std::string& topic, int partitions) {
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

void MockKafka::Inject(int16_t api_key, std::initializer_list<rd_kafka_resp_err_t> errors) {
  const std::vector<rd_kafka_resp_err_t> list(errors);
  rd_kafka_mock_push_request_errors_array(cluster_, api_key, list.size(), list.data());
}

void MockKafka::Fill(const std::string& topic, int partition, int count, int first) {
  // One record set: the mock answers a fetch with one.
  auto producer = MakeProducer(Connection(), {{"linger.ms", "50"}}, 16 << 20);
  ASSERT_TRUE(producer.ok()) << producer.status();
  auto values = std::make_shared<std::vector<std::string>>();
  for (int i = first; i < first + count; ++i) values->push_back(absl::StrCat(i));
  ports::ProduceBatch batch;
  batch.topic = topic;
  for (const std::string& value : *values) {
    ports::OutgoingRecord record;
    record.value = value;
    record.partition = partition;
    batch.records.push_back(record);
  }
  batch.owner = values;
  const ports::ProduceResult result = ProduceAndWait(*producer->sink, std::move(batch));
  ASSERT_EQ(result.succeeded, static_cast<uint32_t>(count))
      << (result.failures.empty() ? "" : result.failures[0].message);
}

Member::Member(const config::SessionOptions& options, bool finish_revokes) : finish_revokes_(finish_revokes) {
  auto made = MakeConsumer(options, [bell = bell_] {
    absl::MutexLock lock(&bell->mutex);
    bell->rung = true;
  });
  EXPECT_TRUE(made.ok()) << made.status();
  source_ = *std::move(made);
  EXPECT_TRUE(source_->Subscribe().ok());
}

Member::~Member() {
  records.clear();
  if (source_ != nullptr) Close();
}

bool Member::RunUntil(const std::function<bool()>& condition, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!condition()) {
    if (absl::Now() >= deadline) return false;
    {
      // As the engine: woken, or once in half a second.
      absl::MutexLock lock(&bell_->mutex);
      bell_->mutex.AwaitWithTimeout(absl::Condition(&bell_->rung), absl::Milliseconds(500));
      bell_->rung = false;
    }
    while (true) {
      std::vector<ports::SourceEvent> events = source_->Poll(max_records, 1 << 20);
      if (events.empty()) break;
      for (ports::SourceEvent& event : events) Take(std::move(event));
    }
  }
  return true;
}

void Member::Take(ports::SourceEvent event) {
  if (auto* polled = std::get_if<ports::RecordsPolled>(&event)) {
    EXPECT_TRUE(assigned.contains(polled->tp)) << "records of a partition that is not assigned";
    total += polled->records.size();
    auto& list = records[polled->tp];
    for (auto& record : polled->records) list.push_back(std::move(record));
  } else if (auto* added = std::get_if<ports::PartitionsAssigned>(&event)) {
    ++assignments;
    for (const PartitionOffset& one : added->partitions) {
      assigned.insert(one.tp);
      begins[one.tp] = one.offset;
    }
  } else if (auto* taken = std::get_if<ports::PartitionsRevoked>(&event)) {
    revoked.push_back(*taken);
    for (const TopicPartition& tp : taken->partitions) assigned.erase(tp);
    if (finish_revokes_) source_->FinishRevoke();
  } else if (auto* finished = std::get_if<ports::CommitFinished>(&event)) {
    commits.push_back(*finished);
  } else {
    troubles.push_back(std::get<ports::SourceTrouble>(event));
  }
}

void Member::CommitAll() {
  std::vector<PartitionOffset> positions;
  for (const auto& [tp, list] : records) positions.push_back({tp, list.back()->offset + 1, kNoLeaderEpoch});
  const size_t before = commits.size();
  source_->CommitAsync(positions);
  ASSERT_TRUE(RunUntil([&] { return commits.size() > before; }));
}

bool Member::Close(absl::Duration timeout) {
  const bool closed = source_->Close(timeout);
  source_.reset();
  return closed;
}

ports::ProduceResult ProduceAndWait(ports::RecordSink& sink, ports::ProduceBatch batch) {
  absl::Notification done;
  ports::ProduceResult result;
  sink.Produce(std::move(batch), [&](ports::ProduceResult got) {
    result = std::move(got);
    done.Notify();
  });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30))) << "no answer";
  return result;
}

}  // namespace datapy_kafka::kafka
