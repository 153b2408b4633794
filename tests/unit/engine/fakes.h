// A scripted Kafka and a recording client for the engine's tests.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/session.h"

namespace datapy_kafka::engine {

inline const TopicPartition kP0{"orders", 0};

// What a test sees of a session's Kafka side. Thread-safe.
class FakeKafka {
 public:
  // Adds an event for the session to poll, and wakes it.
  void Push(ports::SourceEvent event) {
    std::function<void()> wake;
    {
      absl::MutexLock lock(&mutex_);
      events_.push_back(std::move(event));
      wake = wake_;
    }
    if (wake) wake();
  }
  void PushRecords(int64_t first, int64_t count, const TopicPartition& tp = kP0) {
    ports::RecordsPolled polled{tp, {}};
    for (int64_t i = first; i < first + count; ++i) {
      ports::Record record;
      record.offset = Offset(i);
      record.value = "v";
      polled.records.push_back(std::make_shared<const ports::Record>(std::move(record)));
    }
    Push(std::move(polled));
  }

  std::vector<PartitionOffset> committed() const {
    absl::MutexLock lock(&mutex_);
    return committed_;
  }
  bool revoke_finished() const {
    absl::MutexLock lock(&mutex_);
    return revoke_finished_;
  }
  bool closed() const {
    absl::MutexLock lock(&mutex_);
    return closed_;
  }
  // What the next commits answer instead of success.
  void FailCommits(absl::Status status, bool retriable, int times) {
    absl::MutexLock lock(&mutex_);
    commit_failure_ = {std::move(status), retriable, times};
  }
  void SetProgress(std::vector<ports::PartitionProgress> progress) {
    absl::MutexLock lock(&mutex_);
    progress_ = std::move(progress);
  }

 private:
  friend class FakeSource;
  struct CommitFailure {
    absl::Status status;
    bool retriable = false;
    int times = 0;
  };

  std::vector<ports::CommitOutcome> Answer(const std::vector<PartitionOffset>& positions) {
    absl::MutexLock lock(&mutex_);
    std::vector<ports::CommitOutcome> outcomes;
    const bool fail = commit_failure_.times > 0;
    if (fail) --commit_failure_.times;
    for (const PartitionOffset& position : positions) {
      ports::CommitOutcome outcome;
      outcome.position = position;
      if (fail) {
        outcome.status = commit_failure_.status;
        outcome.retriable = commit_failure_.retriable;
      } else {
        committed_.push_back(position);
      }
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

  mutable absl::Mutex mutex_;
  std::function<void()> wake_ ABSL_GUARDED_BY(mutex_);
  std::deque<ports::SourceEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<PartitionOffset> committed_ ABSL_GUARDED_BY(mutex_);
  std::vector<ports::PartitionProgress> progress_ ABSL_GUARDED_BY(mutex_);
  CommitFailure commit_failure_ ABSL_GUARDED_BY(mutex_);
  bool revoke_finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

class FakeSource final : public ports::RecordSource {
 public:
  FakeSource(std::shared_ptr<FakeKafka> kafka, std::function<void()> wake) : kafka_(std::move(kafka)) {
    absl::MutexLock lock(&kafka_->mutex_);
    kafka_->wake_ = std::move(wake);
  }

  absl::Status Subscribe() override { return absl::OkStatus(); }
  std::vector<ports::SourceEvent> Poll(size_t max_records, size_t) override {
    std::vector<ports::SourceEvent> out;
    absl::MutexLock lock(&kafka_->mutex_);
    while (!kafka_->events_.empty()) {
      if (max_records == 0 && std::holds_alternative<ports::RecordsPolled>(kafka_->events_.front())) break;
      out.push_back(std::move(kafka_->events_.front()));
      kafka_->events_.pop_front();
    }
    return out;
  }
  void SetReadable(const TopicPartition&, bool) override {}
  void FinishRevoke() override {
    absl::MutexLock lock(&kafka_->mutex_);
    kafka_->revoke_finished_ = true;
  }
  void CommitAsync(const std::vector<PartitionOffset>& positions) override {
    kafka_->Push(ports::CommitFinished{kafka_->Answer(positions)});
  }
  std::vector<ports::CommitOutcome> CommitSync(const std::vector<PartitionOffset>& positions,
                                               absl::Duration) override {
    return kafka_->Answer(positions);
  }
  std::vector<ports::PartitionProgress> Progress() override {
    absl::MutexLock lock(&kafka_->mutex_);
    return kafka_->progress_;
  }
  absl::Duration MaxPollInterval() const override { return absl::Minutes(5); }
  bool Close(absl::Duration) override {
    absl::MutexLock lock(&kafka_->mutex_);
    kafka_->closed_ = true;
    return true;
  }

 private:
  const std::shared_ptr<FakeKafka> kafka_;
};

// Records the frames that a session sends.
class FakeStream final : public ports::SessionStream {
 public:
  void Send(ports::ServerFrame frame) override {
    absl::MutexLock lock(&mutex_);
    frames_.push_back(std::move(frame));
  }
  void ReadNext() override {
    absl::MutexLock lock(&mutex_);
    ++reads_;
  }
  void Finish(absl::Status status) override {
    absl::MutexLock lock(&mutex_);
    final_status_ = std::move(status);
  }

  // Waits for the n-th frame of a kind, n from 1; nullopt when none comes.
  template <typename Frame>
  std::optional<Frame> Await(int n = 1) {
    const auto arrived = [this, n] {
      mutex_.AssertReaderHeld();
      return Count<Frame>() >= n;
    };
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&arrived), kPatience)) return std::nullopt;
    int seen = 0;
    for (const ports::ServerFrame& frame : frames_) {
      if (const auto* one = std::get_if<Frame>(&frame); one != nullptr && ++seen == n) return *one;
    }
    return std::nullopt;
  }
  std::optional<absl::Status> AwaitFinish() {
    const auto finished = [this] {
      mutex_.AssertReaderHeld();
      return final_status_.has_value();
    };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&finished), kPatience);
    return final_status_;
  }
  int reads() const {
    absl::MutexLock lock(&mutex_);
    return reads_;
  }

  // How long a test waits for what must come; nothing asserts on its length.
  static constexpr absl::Duration kPatience = absl::Seconds(30);

 private:
  template <typename Frame>
  int Count() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    int count = 0;
    for (const ports::ServerFrame& frame : frames_) count += std::holds_alternative<Frame>(frame) ? 1 : 0;
    return count;
  }

  mutable absl::Mutex mutex_;
  std::vector<ports::ServerFrame> frames_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> final_status_ ABSL_GUARDED_BY(mutex_);
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Polls `condition` until it holds; false when it never does.
inline bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + FakeStream::kPatience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace datapy_kafka::engine
