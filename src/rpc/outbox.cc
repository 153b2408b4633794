#include "outbox.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "columns_encoder.h"
#include "datapy_kafka/base/error.h"
#include "rows_encoder.h"

namespace datapy_kafka::rpc {
namespace {

// The tags and lengths of a message around its records.
constexpr size_t kEnvelope = 128;

absl::Status NotReading(absl::string_view what) {
  return ErrorBuilder(ErrorReason::kResourceExhausted)
      .Build(absl::StrCat("the client does not read: too many ", what,
                          " wait for it; read the stream while processing"));
}

// What was committed earlier gives way to what is committed now.
void MergeCommits(ports::CommittedFrame newer, ports::CommittedFrame* waiting) {
  for (PartitionOffset& position : newer.positions) {
    const auto same = std::find_if(waiting->positions.begin(), waiting->positions.end(),
                                   [&](const PartitionOffset& one) { return one.tp == position.tp; });
    if (same == waiting->positions.end()) {
      waiting->positions.push_back(std::move(position));
    } else {
      *same = std::move(position);
    }
  }
}

}  // namespace

absl::Status Outbox::Push(ports::ServerFrame frame) {
  absl::MutexLock lock(&mutex_);
  if (const auto* deliveries = std::get_if<ports::DeliveriesFrame>(&frame)) {
    if (deliveries->deliveries.empty()) return absl::OkStatus();
    if (records_ > 0 && records_ + deliveries->deliveries.size() > options_.max_records) {
      return NotReading("records");
    }
    records_ += deliveries->deliveries.size();
  } else if (auto* committed = std::get_if<ports::CommittedFrame>(&frame)) {
    for (ports::ServerFrame& waiting : queued_) {
      if (auto* earlier = std::get_if<ports::CommittedFrame>(&waiting)) {
        MergeCommits(std::move(*committed), earlier);
        return absl::OkStatus();
      }
    }
  } else if (std::holds_alternative<ports::NoticeFrame>(frame)) {
    if (notices_ == kMaxNotices) {
      queued_.erase(std::find_if(queued_.begin(), queued_.end(), [](const ports::ServerFrame& one) {
        return std::holds_alternative<ports::NoticeFrame>(one);
      }));
      --notices_;
    }
    ++notices_;
  } else {
    if (control_frames_ == kMaxControlFrames) return NotReading("events");
    ++control_frames_;
  }
  queued_.push_back(std::move(frame));
  return absl::OkStatus();
}

void Outbox::Clear() {
  std::deque<ports::ServerFrame> dropped;  // records are freed outside the lock
  absl::MutexLock lock(&mutex_);
  dropped.swap(queued_);
  records_ = control_frames_ = notices_ = 0;
}

bool Outbox::empty() const {
  absl::MutexLock lock(&mutex_);
  return queued_.empty() && !writer_has_frames_;
}

void Outbox::TakeQueued() {
  absl::MutexLock lock(&mutex_);
  std::move(queued_.begin(), queued_.end(), std::back_inserter(taken_));
  queued_.clear();
  notices_ = 0;
  writer_has_frames_ = !taken_.empty();
}

size_t Outbox::SizeBound(const TopicPartition& tp, const ports::Record& record) const {
  return options_.columns ? ColumnsSizeBound(tp, record) : RowsSizeBound(tp, record);
}

void Outbox::FillBatch() {
  const size_t budget = std::min<uint64_t>(kMaxBatchBytes, options_.max_frame_bytes);
  size_t bytes = kEnvelope;
  batch_.Clear();
  while (!taken_.empty()) {
    auto* frame = std::get_if<ports::DeliveriesFrame>(&taken_.front());
    if (frame == nullptr) return;
    const DeliveryId first = frame->first_id + front_used_;
    if (batch_.records == 0) {
      batch_.first_id = first;
    } else if (batch_.first_id + batch_.records != first) {
      return;  // ids of one message are consecutive
    }
    RecordBatch::Run run{frame->tp, {}};
    run.deliveries.reserve(std::min(frame->deliveries.size() - front_used_, kMaxBatchRecords - batch_.records));
    while (front_used_ < frame->deliveries.size() && batch_.records < kMaxBatchRecords) {
      ports::Delivery& delivery = frame->deliveries[front_used_];
      const size_t size = SizeBound(frame->tp, *delivery.record);
      if (batch_.records > 0 && bytes + size > budget) break;
      bytes += size;
      run.deliveries.push_back(std::move(delivery));
      ++front_used_;
      ++batch_.records;
    }
    const bool used_up = front_used_ == frame->deliveries.size();
    if (!run.deliveries.empty()) batch_.runs.push_back(std::move(run));
    if (!used_up) return;
    taken_.pop_front();
    front_used_ = 0;
  }
}

absl::Status Outbox::EncodeBatch(grpc::ByteBuffer* encoded) {
  *encoded = options_.columns ? encoder_.Columns(batch_) : encoder_.Rows(batch_);
  // Only a record that travels alone can exceed the budget.
  if (batch_.records == 1) {
    const size_t size = encoded->Length();
    if (size > options_.max_frame_bytes) {
      const RecordBatch::Run& run = batch_.runs.front();
      const Offset offset = run.deliveries.front().record->offset;
      return ErrorBuilder(ErrorReason::kRecordTooLarge)
          .At(run.tp, offset)
          .Build(absl::StrCat("the record at offset ", offset.value(), " of ", ToString(run.tp),
                              " needs a frame of ", size, " bytes and the client takes ",
                              options_.max_frame_bytes,
                              "; raise max_frame_bytes and the client's grpc.max_receive_message_length"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Outbox::Next(grpc::ByteBuffer* encoded) {
  TakeQueued();
  if (taken_.empty()) return false;
  absl::Status status;
  size_t records = 0;
  size_t control_frames = 0;
  if (std::holds_alternative<ports::DeliveriesFrame>(taken_.front())) {
    FillBatch();
    records = batch_.records;
    status = EncodeBatch(encoded);
    batch_.Clear();
  } else {
    const ports::ServerFrame& frame = taken_.front();
    if (!std::holds_alternative<ports::CommittedFrame>(frame) &&
        !std::holds_alternative<ports::NoticeFrame>(frame)) {
      control_frames = 1;
    }
    *encoded = encoder_.Control(frame);
    taken_.pop_front();
  }
  absl::MutexLock lock(&mutex_);
  // Clear may have set the counts to zero in between.
  records_ -= std::min(records_, records);
  control_frames_ -= std::min(control_frames_, control_frames);
  writer_has_frames_ = !taken_.empty();
  if (!status.ok()) return status;
  return true;
}

}  // namespace datapy_kafka::rpc
