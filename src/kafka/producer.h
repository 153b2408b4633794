// An idempotent producer on librdkafka: ports::RecordSink.
//
// One thread gives batches to librdkafka in the order they came and takes the
// delivery reports; it sleeps until there is either. Payloads are not copied:
// a batch stays until the last of its records is reported. librdkafka's queue
// is bounded in bytes; the batch that does not fit waits at the head, and those
// behind it with it.
//
// Produce, Flush and Status: any thread.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_sink.h"
#include "datapy_kafka/ports/status.h"
#include "kafka/client.h"
#include "kafka/produce_job.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

class Producer final : public ports::RecordSink {
 public:
  static absl::StatusOr<std::unique_ptr<Producer>> Make(const config::ConnectionOptions& connection,
                                                        const config::Properties& properties,
                                                        uint64_t max_queue_bytes);
  // Fails what waits, drops what is on the wire. Flush before. Not on a thread
  // that runs a Done of this sink.
  ~Producer() override;

  void Produce(ports::ProduceBatch batch, Done done) override;
  bool Flush(absl::Duration timeout) override;
  ports::ProducerStatus Status() const;

 private:
  using Jobs = std::list<std::unique_ptr<ProduceJob>>;

  // What wakes the thread; shared with librdkafka's callback, which may come
  // after the producer is gone.
  struct Inbox {
    absl::Mutex mutex;
    Jobs arrived ABSL_GUARDED_BY(mutex);
    bool events ABSL_GUARDED_BY(mutex) = false;
    bool closing ABSL_GUARDED_BY(mutex) = false;
  };

  Producer(std::string connection_name, std::shared_ptr<Client> client, std::shared_ptr<Inbox> inbox,
           std::shared_ptr<Jobs> jobs);

  void Run();
  // Waits for work until the next deadline; true when the producer closes.
  bool TakeArrivals(absl::Time until);
  void GiveJobs();
  // False when librdkafka's queue is full.
  bool GiveRecords(ProduceJob& job);
  rd_kafka_resp_err_t GiveRecord(ProduceJob& job, size_t index, rd_kafka_topic_t* topic, std::string& text);
  rd_kafka_topic_t* TopicHandle(const std::string& name);
  void TakeReports();
  void NoteRefusal(TranslatedError error);
  void TakeReport(const rd_kafka_message_t& message);
  void ExpireJobs(absl::Time now);
  void FailRest(ProduceJob& job, const TranslatedError& error);
  // Answers what can be answered and drops what is over.
  void Sweep();
  absl::Time NextDeadline() const;
  void NoteFatal();
  void CloseDown();

  const std::string connection_name_;
  std::shared_ptr<Client> client_;
  const std::shared_ptr<Inbox> inbox_;

  // The thread's own. Kept by the client as well: librdkafka points into them.
  const std::shared_ptr<Jobs> jobs_;  // in the order they came
  QueuePtr reports_;
  std::map<std::string, TopicPtr> topics_;
  uint64_t earlier_failures_ = 0;
  std::optional<TranslatedError> fatal_;
  // Why brokers refuse the login or the handshake, until a record gets through.
  std::optional<TranslatedError> refusal_;

  std::atomic<uint64_t> held_jobs_{0};
  std::atomic<uint64_t> queued_{0};
  std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> delivered_bytes_{0};

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace datapy_kafka::kafka
