// A daemon without Kafka, a server on a socket of its own, and a client.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/rpc/backend.h"
#include "datapy_kafka/rpc/server.h"
#include "datapy_kafka/v1/error.pb.h"
#include "datapy_kafka/v1/sidecar.grpc.pb.h"

namespace datapy_kafka::rpc {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// What a test and gRPC's threads both use.
template <typename T>
class Shared {
 public:
  Shared() = default;
  explicit Shared(T value) : value_(std::move(value)) {}
  Shared& operator=(T value) {
    absl::MutexLock lock(&mutex_);
    value_ = std::move(value);
    return *this;
  }
  T Get() const {
    absl::MutexLock lock(&mutex_);
    return value_;
  }

 private:
  mutable absl::Mutex mutex_;
  T value_ ABSL_GUARDED_BY(mutex_);
};

// A session that notes what it is told. Its test is its engine: by default it
// asks for the next frame at once and finishes when the stream breaks.
class FakeSession : public ports::Session {
 public:
  explicit FakeSession(ports::SessionStream* stream) : stream_(stream) {}

  void OnFrame(ports::ClientFrame frame) override {
    {
      absl::MutexLock lock(&mutex_);
      frames_.push_back(std::move(frame));
      if (!reads_) return;
    }
    Use([this] { stream_->ReadNext(); });
  }
  void OnHalfClose() override { Note(&half_closed_); }
  void OnBroken() override {
    Note(&broken_);
    if (finish_when_broken) Finish(absl::CancelledError("broken"));
  }

  // What the engine does, on the caller's thread.
  void Send(ports::ServerFrame frame) {
    Use([&] { stream_->Send(std::move(frame)); });
  }
  void Finish(absl::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      if (end_.has_value()) return;
      end_ = std::move(status);
      if (using_ > 0) return;  // the last user finishes
    }
    stream_->Finish(*end_);
  }
  void StopReading() {
    absl::MutexLock lock(&mutex_);
    reads_ = false;
  }

  bool WaitBroken() { return Wait(&broken_); }
  bool WaitHalfClosed() { return Wait(&half_closed_); }
  std::vector<ports::ClientFrame> WaitFrames(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return frames_.size() >= count; };
    mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
    return frames_;
  }
  bool broken() {
    absl::MutexLock lock(&mutex_);
    return broken_;
  }

  std::atomic<bool> finish_when_broken = true;

 private:
  // An engine has one thread, and Finish is the last that it calls; here several
  // threads play the engine.
  void Use(const std::function<void()>& use) {
    {
      absl::MutexLock lock(&mutex_);
      if (end_.has_value()) return;
      ++using_;
    }
    use();
    {
      absl::MutexLock lock(&mutex_);
      if (--using_ > 0 || !end_.has_value()) return;
    }
    stream_->Finish(*end_);
  }
  void Note(bool* what) {
    absl::MutexLock lock(&mutex_);
    *what = true;
  }
  bool Wait(bool* what) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(what), kPatience);
  }

  ports::SessionStream* const stream_;
  absl::Mutex mutex_;
  bool reads_ ABSL_GUARDED_BY(mutex_) = true;
  bool half_closed_ = false;
  bool broken_ = false;
  int using_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Status> end_;
  std::vector<ports::ClientFrame> frames_ ABSL_GUARDED_BY(mutex_);
};

class FakeBackend : public Backend {
 public:
  absl::StatusOr<config::ConnectionOptions> ResolveConnection(absl::string_view name) override {
    if (name != "default") {
      return ErrorBuilder(ErrorReason::kUnknownConnection).Build(absl::StrCat("no connection \"", name, "\""));
    }
    config::ConnectionOptions options;
    options.bootstrap_servers = "configured:9092";
    return options;
  }
  absl::StatusOr<std::shared_ptr<ports::Session>> StartSession(config::SessionOptions options,
                                                               ports::SessionStream* stream) override {
    if (const absl::Status refused = refuse_session.Get(); !refused.ok()) return refused;
    auto session = std::make_shared<FakeSession>(stream);
    if (const auto before = before_return.Get()) before(session.get());
    absl::MutexLock lock(&mutex_);
    session_options_ = std::move(options);
    sessions_.push_back(session);
    return session;
  }
  void CheckConnection(config::ConnectionOptions connection, absl::Duration timeout, CheckDone done) override {
    checked_timeout = timeout;
    if (connection.bootstrap_servers == "down:9092") {
      done(ErrorBuilder(ErrorReason::kBrokerUnreachable).Broker("down:9092").Build("no broker answers"));
      return;
    }
    ports::ConnectionInfo info;
    info.broker_count = 3;
    info.topics = {"a", "b"};
    info.duration = absl::Microseconds(6001);
    std::thread([done = std::move(done), info]() mutable { done(info); }).detach();
  }
  void Produce(config::ConnectionOptions /*connection*/, config::Properties /*properties*/,
               ports::ProduceBatch batch, ProduceDone done) override {
    done(on_produce.Get()(batch));
  }
  ports::DaemonStatus GetStatus() override { return status.Get(); }

  // The session that was opened `index`th.
  std::shared_ptr<FakeSession> WaitSession(size_t index = 0) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, index]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return sessions_.size() > index; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience)) return nullptr;
    return sessions_[index];
  }
  size_t session_count() {
    absl::MutexLock lock(&mutex_);
    return sessions_.size();
  }
  config::SessionOptions session_options() {
    absl::MutexLock lock(&mutex_);
    return session_options_;
  }
  void EndSessions() {
    std::vector<std::shared_ptr<FakeSession>> sessions;
    {
      absl::MutexLock lock(&mutex_);
      sessions = sessions_;
    }
    for (const auto& session : sessions) session->Finish(absl::OkStatus());
  }

  Shared<absl::Status> refuse_session;
  Shared<std::function<void(FakeSession*)>> before_return;
  using OnProduce = std::function<absl::StatusOr<ports::ProduceResult>(const ports::ProduceBatch&)>;
  Shared<OnProduce> on_produce{[](const ports::ProduceBatch&) { return ports::ProduceResult{}; }};
  Shared<absl::Duration> checked_timeout;
  Shared<ports::DaemonStatus> status;

 private:
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<FakeSession>> sessions_ ABSL_GUARDED_BY(mutex_);
  config::SessionOptions session_options_ ABSL_GUARDED_BY(mutex_);
};

// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/dpk-rpc-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A server on a unix socket, with a client.
class ServerFixture : public testing::Test {
 protected:
  void StartServer() {
    if (options_.listen.empty()) options_.listen = {"unix://" + SocketPath()};
    auto server = Server::Start(options_, &backend_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel();
    stub_ = v1::KafkaSidecar::NewStub(channel_);
  }
  std::shared_ptr<grpc::Channel> NewChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + SocketPath(), grpc::InsecureChannelCredentials(), arguments);
  }
  void TearDown() override {
    backend_.EndSessions();
    if (server_ != nullptr) server_->Shutdown(absl::Seconds(2));
  }
  std::string SocketPath() const { return directory_.path() + "/s.sock"; }

  TemporaryDirectory directory_;
  FakeBackend backend_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KafkaSidecar::Stub> stub_;
};

// A client's side of a Consume call.
class Call {
 public:
  explicit Call(v1::KafkaSidecar::Stub* stub) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub->Consume(&context_);
  }
  static v1::ConsumeRequest StartRequest(bool columns = false) {
    v1::ConsumeRequest request;
    v1::Start* start = request.mutable_start();
    start->mutable_connection()->set_bootstrap_servers("localhost:9092");
    start->add_topics("orders");
    start->set_group_id("billing");
    start->set_record_layout(columns ? v1::RECORD_LAYOUT_COLUMNS : v1::RECORD_LAYOUT_ROWS);
    return request;
  }
  bool Start(bool columns = false) { return Write(StartRequest(columns)); }
  bool Write(const v1::ConsumeRequest& request) { return stream_->Write(request); }
  std::optional<v1::ConsumeResponse> Read() {
    v1::ConsumeResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  // Reads what is left and ends.
  grpc::Status End() {
    while (Read().has_value()) {
    }
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ConsumeRequest, v1::ConsumeResponse>> stream_;
};

inline v1::RpcErrorInfo ErrorInfoOf(const grpc::Status& status) {
  v1::RpcStatus details;
  v1::RpcErrorInfo info;
  if (details.ParseFromString(status.error_details()) && details.details_size() == 1 &&
      details.details(0).type_url() == "type.googleapis.com/google.rpc.ErrorInfo") {
    info.ParseFromString(details.details(0).value());
  }
  return info;
}

// A record that owns its bytes.
inline ports::RecordPtr MakeRecord(
    int64_t offset, std::optional<std::string> key, std::optional<std::string> value,
    std::vector<std::pair<std::string, std::optional<std::string>>> headers = {}) {
  struct Bytes {
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  };
  auto* bytes = new Bytes{std::move(key), std::move(value), std::move(headers)};
  ports::Record record;
  record.owner = {bytes, [](void* owned) { delete static_cast<Bytes*>(owned); }};
  record.offset = Offset(offset);
  record.timestamp_ms = 1'000 + offset;
  record.timestamp_type = ports::TimestampType::kCreateTime;
  if (bytes->key.has_value()) record.key = *bytes->key;
  if (bytes->value.has_value()) record.value = *bytes->value;
  for (const auto& [name, text] : bytes->headers) {
    ports::Header header;
    header.name = name;
    if (text.has_value()) header.value = *text;
    record.headers.push_back(header);
  }
  return std::make_shared<const ports::Record>(std::move(record));
}

// `count` records of "orders"[partition] with ids and offsets from `first`.
inline ports::DeliveriesFrame MakeDeliveries(int64_t first, int count, int partition = 0,
                                             size_t value_size = 5) {
  ports::DeliveriesFrame frame;
  frame.tp = {"orders", partition};
  frame.first_id = DeliveryId(first);
  for (int64_t i = first; i < first + count; ++i) {
    frame.deliveries.push_back({MakeRecord(i, absl::StrCat("k", i), std::string(value_size, 'v')), 1});
  }
  return frame;
}

// What a client reads of an encoded frame.
inline v1::ConsumeResponse Parsed(grpc::ByteBuffer encoded) {
  v1::ConsumeResponse message;
  EXPECT_TRUE(grpc::SerializationTraits<google::protobuf::Message>::Deserialize(&encoded, &message).ok());
  return message;
}

// A field of this number whose value is `count` empty submessages or texts of
// field 1: two bytes each.
inline std::string Crowd(int field, size_t count) {
  std::string inner;
  for (size_t i = 0; i < count; ++i) inner += std::string("\x0A\x00", 2);
  std::string out(1, static_cast<char>(field << 3 | 2));
  size_t size = inner.size();
  for (; size > 127; size >>= 7) out += static_cast<char>(size | 0x80);
  return out + static_cast<char>(size) + inner;
}

}  // namespace datapy_kafka::rpc
