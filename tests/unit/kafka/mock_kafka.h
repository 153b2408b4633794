// A mock cluster for tests, and what they do with sources and sinks.
#pragma once

#include <librdkafka/rdkafka.h>
// After rdkafka.h, as it asks.
#include <librdkafka/rdkafka_mock.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/kafka/client_factory.h"

namespace datapy_kafka::kafka {

class MockKafka {
 public:
  explicit MockKafka(int brokers = 1);
  ~MockKafka();

  config::ConnectionOptions Connection() const;
  // A session whose group settles quickly on the mock.
  config::SessionOptions Session(const std::string& group, std::vector<std::string> topics) const;
  void CreateTopic(const std::string& topic, int partitions);
  // The next requests of this kind are answered with these errors.
  void Inject(int16_t api_key, std::initializer_list<rd_kafka_resp_err_t> errors);
  // Writes values "0", "1", … to a partition and waits for the reports.
  void Fill(const std::string& topic, int partition, int count, int first = 0);
  rd_kafka_mock_cluster_t* cluster() { return cluster_; }

 private:
  rd_kafka_t* rk_;
  rd_kafka_mock_cluster_t* cluster_;
};

// A source, polled as the engine polls it, with all that it said.
class Member {
 public:
  explicit Member(const config::SessionOptions& options, bool finish_revokes = true);
  ~Member();

  // Polls until the condition holds; false after the time-out.
  bool RunUntil(const std::function<bool()>& condition, absl::Duration timeout = absl::Seconds(20));
  // Commits what was read of every partition and waits.
  void CommitAll();
  bool Close(absl::Duration timeout = absl::Seconds(10));

  size_t partitions() const { return assigned.size(); }
  ports::RecordSource& source() { return *source_; }

  std::set<TopicPartition> assigned;
  std::map<TopicPartition, Offset> begins;
  std::map<TopicPartition, std::vector<ports::RecordPtr>> records;
  std::vector<ports::PartitionsRevoked> revoked;
  std::vector<ports::CommitFinished> commits;
  std::vector<ports::SourceTrouble> troubles;
  size_t total = 0;
  int assignments = 0;
  size_t max_records = 1000;

 private:
  // What the wake function sets, which may be called late.
  struct Bell {
    absl::Mutex mutex;
    bool rung ABSL_GUARDED_BY(mutex) = true;
  };

  void Take(ports::SourceEvent event);

  const bool finish_revokes_;
  std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::unique_ptr<ports::RecordSource> source_;
};

// Produces and waits for the result.
ports::ProduceResult ProduceAndWait(ports::RecordSink& sink, ports::ProduceBatch batch);

}  // namespace datapy_kafka::kafka
