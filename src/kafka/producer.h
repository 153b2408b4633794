// An idempotent producer on librdkafka: ports::RecordSink.
//
// One thread gives batches to librdkafka in the order they came and takes the
// delivery reports; it sleeps until there is either. A small batch that comes
// while it sleeps is given by the caller's thread, which saves waking another:
// a single record is on the wire sooner. Payloads are not copied: a batch stays
// until the last of its records is reported. librdkafka's queue is bounded in
// bytes; the batch that does not fit waits at the head, and those behind it
// with it.
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
    // What the thread sleeps until, when nothing wakes it.
    absl::Time asleep_until ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
    bool closing ABSL_GUARDED_BY(mutex) = false;
  };

  Producer(std::string connection_name, std::shared_ptr<Client> client, std::shared_ptr<Inbox> inbox,
           std::shared_ptr<Jobs> jobs);

  void Run();
  // Sleeps until there is something to do or the time has come; which it was.
  bool AwaitWork(absl::Time until);
  // Does all that can be done now; true when the producer closes.
  bool Work() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  bool TakeArrivals() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void GiveNow(std::unique_ptr<ProduceJob> job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  // Notes until when the thread is going to sleep, and returns it.
  absl::Time PrepareSleep(bool was_idle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void GiveJobs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  // False when librdkafka's queue is full.
  bool GiveRecords(ProduceJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  // `now_ms`: the time of a record that has none of its own.
  rd_kafka_resp_err_t GiveRecord(ProduceJob& job, size_t index, rd_kafka_topic_t* topic, int64_t now_ms,
                                 std::string& text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  rd_kafka_topic_t* TopicHandle(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void TakeReports() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void NoteRefusal(rd_kafka_resp_err_t code, TranslatedError error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void TakeReport(const rd_kafka_message_t& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void ExpireJobs(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void FailRest(ProduceJob& job, const TranslatedError& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  // Answers what can be answered and drops what is over.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  absl::Time NextDeadline() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void NoteFatal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);
  void CloseDown() ABSL_EXCLUSIVE_LOCKS_REQUIRED(work_);

  const std::string connection_name_;
  std::shared_ptr<Client> client_;
  const std::shared_ptr<Inbox> inbox_;

  // Held by whoever works; taken before inbox_->mutex.
  absl::Mutex work_;
  // Kept by the client as well: librdkafka points into them.
  const std::shared_ptr<Jobs> jobs_ ABSL_PT_GUARDED_BY(work_);  // in the order they came
  QueuePtr reports_;
  std::map<std::string, TopicPtr> topics_ ABSL_GUARDED_BY(work_);
  absl::Time tell_failure_at_ ABSL_GUARDED_BY(work_) = absl::InfinitePast();
  std::optional<TranslatedError> fatal_ ABSL_GUARDED_BY(work_);
  // Why brokers refuse the login or the handshake, or that none can be reached,
  // until a record gets through.
  std::optional<TranslatedError> refusal_ ABSL_GUARDED_BY(work_);

  std::atomic<uint64_t> held_jobs_{0};
  std::atomic<uint64_t> queued_{0};
  std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<uint64_t> untold_failures_{0};
  std::atomic<uint64_t> delivered_bytes_{0};

  std::thread thread_;  // last: runs on all of the above
};

}  // namespace datapy_kafka::kafka
