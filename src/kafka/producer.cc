#include "kafka/producer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "kafka/client_conf.h"

namespace datapy_kafka::kafka {
namespace {

// Batches beyond this are refused at once; their bytes are the caller's to
// bound.
constexpr uint64_t kMaxJobs = 4096;
// Batches of at most so many records are given by the thread that brings them.
constexpr size_t kSmallBatch = 100;
// How long the thread stays prepared for the deadlines of further batches: as
// long as those are later, they need not wake it.
constexpr absl::Duration kStandby = absl::Milliseconds(250);
// The least time between two lines on records that nobody waits for.
constexpr absl::Duration kFailureLogInterval = absl::Seconds(10);
// What a closing producer waits for reports of what it dropped.
constexpr absl::Duration kCloseGrace = absl::Seconds(2);

TranslatedError MakeError(ErrorReason reason, std::string message, bool retriable) {
  TranslatedError error;
  error.reason = reason;
  error.message = std::move(message);
  error.retriable = retriable;
  return error;
}

TranslatedError ClosingError() {
  return MakeError(ErrorReason::kShuttingDown, "the producer is closing; send again to the next one", true);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Producer>> Producer::Make(const config::ConnectionOptions& connection,
                                                         const config::Properties& properties,
                                                         uint64_t max_queue_bytes) {
  absl::StatusOr<ConfPtr> conf = ProducerConf(connection, properties, max_queue_bytes);
  if (!conf.ok()) return conf.status();
  auto inbox = std::make_shared<Inbox>();
  auto jobs = std::make_shared<Jobs>();
  Client::Surroundings surroundings = SurroundingsOf(connection, [inbox] {
    absl::MutexLock lock(&inbox->mutex);
    inbox->events = true;
  });
  surroundings.keep_alive = jobs;
  absl::StatusOr<std::shared_ptr<Client>> client =
      Client::Make(RD_KAFKA_PRODUCER, *std::move(conf), std::move(surroundings));
  if (!client.ok()) return client.status();
  std::unique_ptr<Producer> producer(
      new Producer(connection.DisplayName(), *std::move(client), std::move(inbox), std::move(jobs)));
  producer->thread_ = std::thread([raw = producer.get()] { raw->Run(); });
  return producer;
}

Producer::Producer(std::string connection_name, std::shared_ptr<Client> client, std::shared_ptr<Inbox> inbox,
                   std::shared_ptr<Jobs> jobs)
    : connection_name_(std::move(connection_name)),
      client_(std::move(client)),
      inbox_(std::move(inbox)),
      jobs_(std::move(jobs)),
      reports_(rd_kafka_queue_get_main(client_->rk())) {
  client_->WakeOn(reports_.get());
}

Producer::~Producer() {
  {
    absl::MutexLock lock(&inbox_->mutex);
    inbox_->closing = true;
  }
  thread_.join();
  {
    absl::MutexLock lock(&work_);
    topics_.clear();
  }
  reports_.reset();
  (void)ReleaseAndWait(std::move(client_), kCloseGrace);
}

void Producer::Produce(ports::ProduceBatch batch, Done done) {
  auto job = std::make_unique<ProduceJob>();
  job->deadline = absl::Now() + batch.timeout;
  job->batch = std::move(batch);
  job->done = std::move(done);
  // One too many is refused as if its time had passed, by the same thread.
  if (held_jobs_.fetch_add(1, std::memory_order_relaxed) >= kMaxJobs) job->deadline = absl::InfinitePast();
  const size_t records = job->batch.records.size();
  queued_.fetch_add(records, std::memory_order_relaxed);
  if (records > 0 && records <= kSmallBatch && job->deadline != absl::InfinitePast() && work_.TryLock()) {
    GiveNow(std::move(job));
    work_.Unlock();
    return;
  }
  absl::MutexLock lock(&inbox_->mutex);
  inbox_->arrived.push_back(std::move(job));
}

void Producer::GiveNow(std::unique_ptr<ProduceJob> job) {
  {
    absl::MutexLock lock(&inbox_->mutex);
    // The thread is to know of deadlines that come before it wakes by itself.
    if (!inbox_->arrived.empty() || job->deadline < inbox_->asleep_until) inbox_->events = true;
    jobs_->splice(jobs_->end(), inbox_->arrived);  // they came before
    jobs_->push_back(std::move(job));
  }
  GiveJobs();
  Sweep();
}

bool Producer::Flush(absl::Duration timeout) {
  ports::ProduceBatch flush;
  flush.timeout = timeout;
  auto flushed = std::make_shared<absl::Notification>();
  auto nothing_left = std::make_shared<std::atomic<bool>>(false);
  Produce(std::move(flush), [flushed, nothing_left](const ports::ProduceResult& result) {
    *nothing_left = result.failures.empty();
    flushed->Notify();
  });
  return flushed->WaitForNotificationWithTimeout(timeout + absl::Seconds(2)) && *nothing_left;
}

ports::ProducerStatus Producer::Status() const {
  ports::ProducerStatus status;
  status.connection = connection_name_;
  status.queued_records = queued_.load(std::memory_order_relaxed);
  status.delivered = delivered_.load(std::memory_order_relaxed);
  status.failed = failed_.load(std::memory_order_relaxed);
  status.untold_failures = untold_failures_.load(std::memory_order_relaxed);
  status.delivered_bytes = delivered_bytes_.load(std::memory_order_relaxed);
  return status;
}

void Producer::Run() {
  for (bool idle = false;;) {
    absl::Time until;
    {
      absl::MutexLock lock(&work_);
      if (Work()) return CloseDown();
      until = PrepareSleep(idle);
    }
    idle = !AwaitWork(until);
  }
}

bool Producer::Work() {
  const bool closing = TakeArrivals();
  TakeReports();
  ExpireJobs(absl::Now());
  GiveJobs();
  Sweep();
  return closing;
}

bool Producer::TakeArrivals() {
  absl::MutexLock lock(&inbox_->mutex);
  inbox_->events = false;
  jobs_->splice(jobs_->end(), inbox_->arrived);
  return inbox_->closing;
}

absl::Time Producer::PrepareSleep(bool was_idle) {
  absl::Time until = NextDeadline();
  if (until == absl::InfiniteFuture() && !was_idle) until = absl::Now() + kStandby;
  absl::MutexLock lock(&inbox_->mutex);
  inbox_->asleep_until = until;
  return until;
}

bool Producer::AwaitWork(absl::Time until) {
  absl::MutexLock lock(&inbox_->mutex);
  const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(inbox_->mutex) {
    return inbox_->events || inbox_->closing || !inbox_->arrived.empty();
  };
  return inbox_->mutex.AwaitWithDeadline(absl::Condition(&ready), until);
}

absl::Time Producer::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& job : *jobs_) {
    if (!job->answered()) next = std::min(next, job->deadline);
  }
  return next;
}

void Producer::TakeReports() {
  while (const EventPtr event{rd_kafka_queue_poll(reports_.get(), 0)}) {
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) {
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get())) TakeReport(*message);
    } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      if (rd_kafka_event_error_is_fatal(event.get())) {
        NoteFatal();
      } else {
        const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
        NoteRefusal(code, client_->Explain(code, rd_kafka_event_error_string(event.get())));
      }
    }
  }
}

void Producer::NoteRefusal(rd_kafka_resp_err_t code, TranslatedError error) {
  switch (error.reason) {
    case ErrorReason::kBrokerUnreachable:
    case ErrorReason::kDnsFailure:
      // One broker of several is no reason; nor does it hide why others refuse.
      if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !refusal_.has_value()) refusal_ = std::move(error);
      return;
    case ErrorReason::kAuthenticationFailed:
    case ErrorReason::kSaslMechanismUnsupported:
    case ErrorReason::kTlsCertificateInvalid:
    case ErrorReason::kTlsHandshakeFailed:
      if (!error.retriable) refusal_ = std::move(error);
      return;
    default:
      return;
  }
}

void Producer::TakeReport(const rd_kafka_message_t& message) {
  const auto* slot = static_cast<RecordSlot*>(message._private);
  ProduceJob& job = *slot->job;
  const auto index = static_cast<size_t>(slot - job.slots.data());
  --job.outstanding;
  queued_.fetch_sub(1, std::memory_order_relaxed);
  const bool enqueued_mode = job.batch.mode == ports::ProduceMode::kEnqueued;
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    refusal_.reset();
    delivered_.fetch_add(1, std::memory_order_relaxed);
    const size_t bytes = message.len + message.key_len;
    delivered_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (!enqueued_mode) job.Settle(index, bytes, message.partition, message.offset);
    return;
  }
  failed_.fetch_add(1, std::memory_order_relaxed);
  if (!enqueued_mode && job.answered()) return;
  // Not rd_kafka_message_errstr: of a produced message it returns the payload.
  const char* text = rd_kafka_err2str(message.err);
  const TranslatedError error =
      fatal_.has_value() ? *fatal_ : client_->Explain(message.err, text == nullptr ? "" : text);
  if (!enqueued_mode) return job.Fail(index, error);
  untold_failures_.fetch_add(1, std::memory_order_relaxed);
  // Nobody waits for it: why, is told here alone.
  const absl::Time now = absl::Now();
  if (now < tell_failure_at_) return;
  tell_failure_at_ = now + kFailureLogInterval;
  spdlog::warn("producer of {}: an enqueued record of {} was not written: {}; not told to a job yet: {}",
               connection_name_, rd_kafka_topic_name(message.rkt), error.message,
               untold_failures_.load(std::memory_order_relaxed));
}

void Producer::ExpireJobs(absl::Time now) {
  for (const auto& job : *jobs_) {
    if (job->answered() || job->deadline > now) continue;
    if (job->batch.records.empty()) {
      job->result.failures.push_back(
          {0, ErrorReason::kTimedOut, "what was sent before is not delivered yet", true});
      job->Answer(untold_failures_.exchange(0, std::memory_order_relaxed));
      continue;
    }
    const TranslatedError full =
        MakeError(ErrorReason::kResourceExhausted,
                  "no room in the producer's queue before the batch's time-out; send slower, or raise "
                  "limits.max_producer_queue_bytes",
                  true);
    const size_t given = job->next;
    FailRest(*job, full);
    TranslatedError late = MakeError(
        ErrorReason::kTimedOut,
        "no broker confirmed the record before the batch's time-out; it may be written yet, so that sending it "
        "again may write it twice",
        true);
    if (refusal_.has_value()) {
      late.reason = refusal_->reason;
      late.message = absl::StrCat(refusal_->message, "; ", late.message);
    }
    for (size_t i = 0; i < given; ++i) {
      if (!job->settled[i]) job->Fail(i, late);
    }
    job->Answer(untold_failures_.exchange(0, std::memory_order_relaxed));
  }
}

void Producer::FailRest(ProduceJob& job, const TranslatedError& error) {
  const size_t rest = job.batch.records.size() - job.next;
  queued_.fetch_sub(rest, std::memory_order_relaxed);
  failed_.fetch_add(rest, std::memory_order_relaxed);
  job.Prepare();
  for (; job.next < job.batch.records.size(); ++job.next) job.Fail(job.next, error);
}

void Producer::Sweep() {
  bool all_over = true;  // of the jobs so far: what a flush waits for
  for (auto it = jobs_->begin(); it != jobs_->end();) {
    ProduceJob& job = **it;
    const bool enqueued = job.batch.mode == ports::ProduceMode::kEnqueued && !job.batch.records.empty();
    const bool complete = job.batch.records.empty() ? all_over : enqueued ? job.all_given() : job.over();
    // Told to those who wait for what is written, not to the next that is enqueued.
    if (complete)
      job.Answer(job.answered() || enqueued ? 0 : untold_failures_.exchange(0, std::memory_order_relaxed));
    if (job.over() && job.answered()) {
      it = jobs_->erase(it);
      held_jobs_.fetch_sub(1, std::memory_order_relaxed);
      continue;
    }
    all_over &= job.batch.records.empty() || job.over();
    ++it;
  }
}

void Producer::NoteFatal() {
  if (fatal_.has_value()) return;
  fatal_ = MakeError(
      ErrorReason::kFatal,
      absl::StrCat("the producer cannot go on and is replaced: ", client_->FatalError().message()), true);
  spdlog::error("producer of {}: {}", connection_name_, fatal_->message);
  rd_kafka_purge(client_->rk(),
                 RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void Producer::CloseDown() {
  for (const auto& job : *jobs_) {
    if (!job->batch.records.empty()) FailRest(*job, ClosingError());
  }
  rd_kafka_purge(client_->rk(),
                 RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  const absl::Time until = absl::Now() + kCloseGrace;
  do {
    TakeReports();
    Sweep();
    if (jobs_->empty()) return;
    absl::MutexLock lock(&inbox_->mutex);
    inbox_->mutex.AwaitWithDeadline(absl::Condition(&inbox_->events), until);
    inbox_->events = false;
  } while (absl::Now() < until);
  for (const auto& job : *jobs_) {
    for (size_t i = 0; i < job->settled.size(); ++i) {
      if (!job->settled[i]) job->Fail(i, ClosingError());
    }
    job->Answer(0);
  }
}

}  // namespace datapy_kafka::kafka
