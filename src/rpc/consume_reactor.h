// One Consume call: the gRPC side of a session.
//
// Created for each call and owned by itself: it goes when gRPC is done with the
// call, the session (if one began) has finished with its stream, and the timer
// is out. gRPC's reactions run on gRPC's threads, the SessionStream methods on
// the session's engine thread; both only note what happened and return.
//
// The rules of the call:
//   * one read at a time, the next when the session asked for it;
//   * one write at a time; whoever finds none in flight writes, and goes on as
//     writes complete, so that all that waits goes out without a linger;
//   * the call ends exactly once, after the write in flight. It ends either in
//     good order (Finish, after all that was sent) or at once (End: cancelled,
//     broken, or a client that breaks the rules), and then what waits is dropped.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/rpc/backend.h"
#include "outbox.h"

namespace datapy_kafka::rpc {

// What is the same for every call of a server.
struct ConsumeSettings {
  Backend* backend = nullptr;
  config::Limits limits;
  absl::Duration max_drain_timeout = absl::Seconds(30);
  std::string version;
  // How long a client may take to read what is left when its call is over.
  absl::Duration end_timeout = absl::Seconds(10);
};

class ConsumeReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                             public ports::SessionStream {
 public:
  // `settings` outlives the call. `place`: the call's among those that may be
  // open; none left when it is null, and the call ends at once.
  ConsumeReactor(grpc::CallbackServerContext* context, const ConsumeSettings* settings,
                 std::shared_ptr<void> place);

  // gRPC's reactions.
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // The session's stream.
  void Send(ports::ServerFrame frame) override;
  void ReadNext() override;
  void Finish(absl::Status status) override;

 private:
  using Base = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  ~ConsumeReactor() override = default;

  void TakeStart(const v1::ConsumeRequest& message);
  void TakeFrame(const v1::ConsumeRequest& message);
  void Read();
  // Ends the call at once with `status` and tells the session that it is alone.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the write; false when it is in flight already or nothing is to do.
  bool BeginWrite() ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the next message, or ends the call when it is time. The caller holds
  // the write.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  bool StartNextWrite(Outbox* outbox) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release();

  grpc::CallbackServerContext* const context_;
  const ConsumeSettings* const settings_;
  const std::shared_ptr<void> place_;
  // gRPC's, the session's and the timer's.
  std::atomic<int> references_{1};

  // Of the reactions that read, one at a time.
  grpc::ByteBuffer request_;
  bool started_ = false;
  // Of whoever holds the write.
  grpc::ByteBuffer response_;

  absl::Mutex mutex_;
  // Made before the session and never replaced: guards itself, once seen.
  std::unique_ptr<Outbox> outbox_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ports::Session> session_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Set by the first of Finish and End: the call is to end with this.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool dropping_ ABSL_GUARDED_BY(mutex_) = false;  // by End
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // told to gRPC
  bool timer_set_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm timer_;
};

}  // namespace datapy_kafka::rpc
