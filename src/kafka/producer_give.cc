// How a Producer's batches reach librdkafka.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kafka/producer.h"

namespace datapy_kafka::kafka {
namespace {

// Topic handles that are kept; a job that writes to more pays for making them.
constexpr size_t kMaxTopicHandles = 1'000;
// Reports are looked at after this many records of a large batch.
constexpr size_t kRecordsBetweenReports = 10'000;

// Null is null to librdkafka; what is empty needs an address all the same.
void* Bytes(const std::optional<absl::string_view>& view) {
  static char empty = 0;
  if (!view.has_value()) return nullptr;
  return view->data() == nullptr ? &empty : const_cast<char*>(view->data());
}

}  // namespace

void Producer::GiveJobs() {
  for (const auto& job : *jobs_) {
    if (job->all_given()) continue;
    if (fatal_.has_value()) {
      FailRest(*job, *fatal_);
      continue;
    }
    if (!GiveRecords(*job)) return;  // those behind it wait as well
  }
}

bool Producer::GiveRecords(ProduceJob& job) {
  const size_t count = job.batch.records.size();
  job.Prepare();
  rd_kafka_topic_t* topic = TopicHandle(job.batch.topic);
  if (topic == nullptr) {
    FailRest(job, client_->Explain(rd_kafka_last_error(), absl::StrCat("topic ", job.batch.topic)));
    return true;
  }
  std::string text;
  // One for the batch: librdkafka would ask the clock for each record.
  const int64_t now_ms = absl::ToUnixMillis(absl::Now());
  size_t unseen = 0;
  while (job.next < count) {
    const size_t index = job.next;
    const rd_kafka_resp_err_t code = GiveRecord(job, index, topic, now_ms, text);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    ++job.next;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++job.outstanding;
      if (job.batch.mode == ports::ProduceMode::kEnqueued) {
        const ports::OutgoingRecord& record = job.batch.records[index];
        job.Settle(index, record.key.value_or("").size() + record.value.value_or("").size(), -1, -1);
      }
    } else {
      queued_.fetch_sub(1, std::memory_order_relaxed);
      failed_.fetch_add(1, std::memory_order_relaxed);
      if (code == RD_KAFKA_RESP_ERR__FATAL) NoteFatal();
      job.Fail(index, fatal_.has_value() ? *fatal_ : client_->Explain(code, text));
    }
    if (++unseen >= kRecordsBetweenReports) {
      unseen = 0;
      TakeReports();
    }
  }
  return true;
}

rd_kafka_resp_err_t Producer::GiveRecord(ProduceJob& job, size_t index, rd_kafka_topic_t* topic, int64_t now_ms,
                                         std::string& text) {
  const ports::OutgoingRecord& record = job.batch.records[index];
  std::array<rd_kafka_vu_t, 7> args;
  size_t count = 0;
  const auto next = [&args, &count](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    args[count].vtype = type;
    return args[count++];
  };
  next(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  next(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition < 0 ? RD_KAFKA_PARTITION_UA : record.partition;
  rd_kafka_vu_t& value = next(RD_KAFKA_VTYPE_VALUE);
  value.u.mem.ptr = Bytes(record.value);
  value.u.mem.size = record.value.value_or("").size();
  rd_kafka_vu_t& key = next(RD_KAFKA_VTYPE_KEY);
  key.u.mem.ptr = Bytes(record.key);
  key.u.mem.size = record.key.value_or("").size();
  next(RD_KAFKA_VTYPE_OPAQUE).u.ptr = &job.slots[index];
  next(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.timestamp_ms >= 0 ? record.timestamp_ms : now_ms;
  HeadersPtr headers;
  if (job.headers != nullptr || !record.headers.empty()) {
    headers.reset(job.headers != nullptr ? rd_kafka_headers_copy(job.headers.get())
                                         : rd_kafka_headers_new(record.headers.size()));
    for (const ports::Header& header : record.headers) AddHeader(headers.get(), header);
    next(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  }
  const RdErrorPtr error(rd_kafka_produceva(client_->rk(), args.data(), count));
  if (error == nullptr) {
    (void)headers.release();  // librdkafka's now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  text = rd_kafka_error_string(error.get());
  return rd_kafka_error_code(error.get());
}

rd_kafka_topic_t* Producer::TopicHandle(const std::string& name) {
  if (const auto found = topics_.find(name); found != topics_.end()) return found->second.get();
  if (topics_.size() >= kMaxTopicHandles) topics_.clear();
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client_->rk(), name.c_str(), nullptr);
  if (topic == nullptr) return nullptr;
  return topics_.emplace(name, TopicPtr(topic)).first->second.get();
}

}  // namespace datapy_kafka::kafka
