#include "consume_reactor.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "convert_frames.h"
#include "convert_session.h"
#include "datapy_kafka/base/error.h"
#include "request_parser.h"
#include "status_details.h"

namespace datapy_kafka::rpc {
namespace {

absl::Status Cancelled() { return absl::CancelledError("the client cancelled the call or is gone"); }

// A client that opens bad calls in a loop must not fill the log.
bool MayLog() {
  constexpr int kLinesASecond = 10;
  static std::atomic<int64_t> second{0};
  static std::atomic<int> lines{0};
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  if (second.exchange(now) != now) lines = 0;
  return lines.fetch_add(1) < kLinesASecond;
}

absl::Status OutOfOrder(absl::string_view message) {
  return ErrorBuilder(ErrorReason::kProtocolViolation).Build(message);
}

}  // namespace

ConsumeReactor::ConsumeReactor(grpc::CallbackServerContext* context, const ConsumeSettings* settings,
                               std::shared_ptr<void> place)
    : context_(context), settings_(settings), place_(std::move(place)) {
  if (place_ == nullptr) {
    End(ErrorBuilder(ErrorReason::kResourceExhausted)
            .Build("too many Consume calls are open, for limits.max_sessions; end some"));
    return;
  }
  StartRead(&request_);
}

// ---- reading ----------------------------------------------------------------

void ConsumeReactor::OnReadDone(bool ok) {
  if (ok) {
    v1::ConsumeRequest message;
    const absl::StatusOr<size_t> parsed = ParseRequest(&request_, &message);
    if (!parsed.ok()) {
      End(parsed.status());
    } else if (started_) {
      TakeFrame(message);
    } else {
      TakeStart(message);
    }
    return;
  }
  if (context_->IsCancelled()) {
    End(Cancelled());
    return;
  }
  if (!started_) {
    End(OutOfOrder("the call was closed before its start frame"));
    return;
  }
  std::shared_ptr<ports::Session> session;
  {
    absl::MutexLock lock(&mutex_);
    if (!end_.has_value()) session = session_;
  }
  if (session != nullptr) session->OnHalfClose();
}

void ConsumeReactor::TakeStart(const v1::ConsumeRequest& message) {
  if (!message.has_start()) {
    End(OutOfOrder("the first frame of a call must be start"));
    return;
  }
  absl::StatusOr<StartOptions> options =
      ConvertStart(message.start(), settings_->limits, settings_->max_drain_timeout, settings_->backend);
  if (!options.ok()) {
    End(options.status());
    return;
  }
  started_ = true;
  // Twice the window: a record that was withdrawn may wait beside its next
  // attempt.
  const size_t max_records = 2 * size_t{options->session.max_in_flight_records} + Outbox::kMaxBatchRecords;
  auto outbox = std::make_unique<Outbox>(
      OutboxOptions{options->columns, options->max_frame_bytes, max_records, settings_->version});
  {
    absl::MutexLock lock(&mutex_);
    if (dropping_) return;
    outbox_ = std::move(outbox);
  }
  references_.fetch_add(1);  // the session's, until Finish
  auto session = settings_->backend->StartSession(std::move(options->session), this);
  if (!session.ok()) {
    End(session.status());
    Release();
    return;
  }
  bool broken;
  {
    absl::MutexLock lock(&mutex_);
    if (!end_.has_value()) session_ = *session;
    broken = dropping_;
  }
  if (broken) {
    (*session)->OnBroken();
  } else {
    Read();
  }
}

void ConsumeReactor::TakeFrame(const v1::ConsumeRequest& message) {
  absl::StatusOr<ports::ClientFrame> frame = ConvertClientFrame(message);
  if (!frame.ok()) {
    End(frame.status());
    return;
  }
  std::shared_ptr<ports::Session> session;
  {
    absl::MutexLock lock(&mutex_);
    session = session_;
  }
  // None when the session has ended while the frame was on its way.
  if (session != nullptr) session->OnFrame(*std::move(frame));
}

void ConsumeReactor::Read() {
  absl::MutexLock lock(&mutex_);
  if (!finished_ && !end_.has_value()) StartRead(&request_);
}

void ConsumeReactor::ReadNext() { Read(); }

// ---- writing ----------------------------------------------------------------

void ConsumeReactor::Send(ports::ServerFrame frame) {
  Outbox* outbox;
  {
    absl::MutexLock lock(&mutex_);
    if (dropping_) return;
    outbox = outbox_.get();
  }
  const absl::Status queued = outbox->Push(std::move(frame));
  if (!queued.ok()) {
    End(queued);
    return;
  }
  if (BeginWrite()) Pump();
}

bool ConsumeReactor::BeginWrite() {
  absl::MutexLock lock(&mutex_);
  if (writing_ || finished_) return false;
  writing_ = true;
  return true;
}

bool ConsumeReactor::StartNextWrite(Outbox* outbox) {
  const absl::StatusOr<bool> any = outbox->Next(&response_);
  if (!any.ok()) {
    End(any.status());
    return false;
  }
  if (!*any) return false;
  StartWrite(&response_);
  return true;
}

void ConsumeReactor::Pump() {
  for (;;) {
    Outbox* outbox = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      if (!dropping_) outbox = outbox_.get();
    }
    if (outbox != nullptr && StartNextWrite(outbox)) return;
    grpc::Status status;
    {
      absl::MutexLock lock(&mutex_);
      // A frame may have come since Next found none, and left to this writer.
      if (!dropping_ && outbox != nullptr && !outbox->empty()) continue;
      if (!end_.has_value()) {
        writing_ = false;
        return;
      }
      finished_ = true;
      writing_ = false;
      status = ToGrpcStatus(*end_);
      if (timer_set_) timer_.Cancel();
    }
    Base::Finish(std::move(status));
    return;  // nothing of this may be touched any more
  }
}

void ConsumeReactor::OnWriteDone(bool ok) {
  if (!ok) End(Cancelled());
  Pump();
}

// ---- ending -----------------------------------------------------------------

void ConsumeReactor::OnCancel() { End(Cancelled()); }

void ConsumeReactor::End(const absl::Status& status) {
  std::shared_ptr<ports::Session> session;
  std::string peer;
  {
    absl::MutexLock lock(&mutex_);
    if (dropping_) return;
    dropping_ = true;
    end_ = status;
    session = session_;
    StartTimer();
    // Here, for gRPC's context may go with the call as soon as others can end it.
    if (!finished_ && status.code() != absl::StatusCode::kCancelled) peer = context_->peer();
  }
  // Each session tells of the daemon's own stop itself.
  if (!peer.empty() && GetErrorInfo(status).reason != ErrorReason::kShuttingDown && MayLog()) {
    spdlog::warn("a Consume call of {} ends: {}", peer, std::string(status.message()));
  }
  if (session != nullptr) session->OnBroken();
  if (BeginWrite()) Pump();
}

void ConsumeReactor::Finish(absl::Status status) {
  {
    absl::MutexLock lock(&mutex_);
    session_ = nullptr;  // it needs to hear nothing more
    if (!end_.has_value()) {
      end_ = std::move(status);
      StartTimer();
    }
  }
  if (BeginWrite()) Pump();
  Release();
}

// A client that does not read holds the last write, and with it the end of the
// call: cut it off.
void ConsumeReactor::StartTimer() {
  if (timer_set_ || finished_) return;
  timer_set_ = true;
  references_.fetch_add(1);
  timer_.Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(settings_->end_timeout),
             [this](bool due) {
               if (due) {
                 absl::MutexLock lock(&mutex_);
                 if (!finished_) context_->TryCancel();
               }
               Release();
             });
}

void ConsumeReactor::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    dropping_ = true;
    if (outbox_ != nullptr) outbox_->Clear();
  }
  Release();
}

void ConsumeReactor::Release() {
  if (references_.fetch_sub(1) == 1) delete this;
}

}  // namespace datapy_kafka::rpc
