// The frames that wait for the client of one consume stream.
//
//   outbox.Push(frame)           // the session: order is kept
//   outbox.Next(&frame)          // the writer: what goes out as one message
//
// Push and what it guards is for any thread; Next is for one writer at a time
// (whoever holds the stream's write in flight). Bounded: records by the
// session's window, committed offsets merge, notices drop their oldest, and of
// the rest kMaxControlFrames wait at most.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/ports/session.h"
#include "frame_encoder.h"
#include "record_batch.h"

namespace datapy_kafka::rpc {

struct OutboxOptions {
  bool columns = false;
  // The largest message that the client can receive.
  uint64_t max_frame_bytes = 4u << 20;
  // Records that may wait.
  size_t max_records = 0;
  std::string daemon_version;
};

class Outbox {
 public:
  // Frames beside records, commits and notices that may wait.
  static constexpr size_t kMaxControlFrames = 4096;
  static constexpr size_t kMaxNotices = 64;
  // What one message of records holds at most.
  static constexpr size_t kMaxBatchRecords = 1024;
  static constexpr size_t kMaxBatchBytes = 1u << 20;

  explicit Outbox(OutboxOptions options) : options_(std::move(options)), encoder_(options_.daemon_version) {}

  // Queues a frame. kResourceExhausted when the client does not read and the
  // bound is reached.
  absl::Status Push(ports::ServerFrame frame) ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops everything. Any thread.
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

  bool empty() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The next message, encoded; false when nothing waits. kRecordTooLarge when a
  // record alone exceeds max_frame_bytes.
  absl::StatusOr<bool> Next(grpc::ByteBuffer* encoded) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void TakeQueued() ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves what fits from the front of `taken_` into `batch_`.
  void FillBatch();
  size_t SizeBound(const TopicPartition& tp, const ports::Record& record) const;
  absl::Status EncodeBatch(grpc::ByteBuffer* encoded);

  const OutboxOptions options_;

  // The writer's.
  FrameEncoder encoder_;
  RecordBatch batch_;
  std::deque<ports::ServerFrame> taken_;
  size_t front_used_ = 0;  // deliveries of taken_'s front that went out

  mutable absl::Mutex mutex_;
  std::deque<ports::ServerFrame> queued_ ABSL_GUARDED_BY(mutex_);
  // Waiting, in queued_ and taken_ together.
  size_t records_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t control_frames_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t notices_ ABSL_GUARDED_BY(mutex_) = 0;  // in queued_ alone
  bool writer_has_frames_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace datapy_kafka::rpc
