// The server around the calls: addresses, health, reflection, limits, bad input.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "absl/synchronization/blocking_counter.h"
#include "fakes.h"
#include "raw_connections.h"
#include "rpc/owned_fd.h"
#include "rpc/request_parser.h"

namespace datapy_kafka::rpc {
namespace {

class ServerTest : public ServerFixture {
 protected:
  absl::StatusCode StartCode(const std::string& address) {
    ServerOptions options;
    options.listen = {address};
    return Server::Start(options, &backend_).status().code();
  }
  OwnedFd Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, SocketPath().c_str(), sizeof(address.sun_path) - 1);
    return ConnectTo(address);
  }
  bool Serves(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::GetStatusResponse response;
    return v1::KafkaSidecar::NewStub(channel)->GetStatus(&context, {}, &response).ok();
  }
  // Calls a method of another service with one message of raw bytes.
  grpc::Status CallRaw(const std::string& method, const std::string& bytes, std::string* answer) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    grpc::CompletionQueue queue;
    auto call = stub.PrepareCall(&context, method, &queue);
    const auto next = [&] {
      void* tag;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    next();
    const grpc::Slice slice(bytes);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    next();
    grpc::ByteBuffer response;
    call->Read(&response, nullptr);
    if (next()) {
      grpc::Slice whole;
      if (response.DumpToSingleSlice(&whole).ok()) {
        answer->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
      }
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    queue.Shutdown();
    return status;
  }
};

TEST_F(ServerTest, HealthFollowsSetServing) {
  StartServer();
  EXPECT_FALSE(CheckHealth("unix://" + SocketPath(), absl::Seconds(5)).ok());
  server_->SetServing("", true);
  EXPECT_TRUE(CheckHealth("unix://" + SocketPath(), absl::Seconds(5)).ok());
  std::string answer;
  const std::string service = "datapy_kafka.v1.KafkaSidecar";
  const std::string request = std::string("\x0A") + static_cast<char>(service.size()) + service;
  EXPECT_TRUE(CallRaw("/grpc.health.v1.Health/Check", request, &answer).ok());
  EXPECT_EQ(answer, "\x08\x01");
  server_->SetServing("", false);
  EXPECT_FALSE(CheckHealth("unix://" + SocketPath(), absl::Seconds(5)).ok());
  answer.clear();
  EXPECT_EQ(CallRaw("/grpc.health.v1.Health/Check", "\x0A\x01x", &answer).error_code(),
            grpc::StatusCode::NOT_FOUND);
  server_->SetServing("x", true);
  EXPECT_TRUE(CallRaw("/grpc.health.v1.Health/Check", "\x0A\x01x", &answer).ok());
  EXPECT_EQ(answer, "\x08\x01");
}

TEST_F(ServerTest, HealthOfNoDaemonIsAnError) {
  EXPECT_EQ(CheckHealth("unix://" + SocketPath(), absl::Seconds(2)).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CheckHealth("nonsense", absl::Seconds(2)).code(), absl::StatusCode::kInvalidArgument);
}

// list_services of reflection.
constexpr char kListServices[] = "\x3A\x01*";
constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

TEST_F(ServerTest, ReflectionIsOnWhenAsked) {
  options_.reflection = true;
  StartServer();
  std::string answer;
  EXPECT_TRUE(CallRaw(kReflection, kListServices, &answer).ok());
  EXPECT_THAT(answer, testing::HasSubstr("datapy_kafka.v1.KafkaSidecar"));
}

TEST_F(ServerTest, ReflectionIsReallyOff) {
  options_.reflection = false;
  StartServer();
  std::string answer;
  EXPECT_EQ(CallRaw(kReflection, kListServices, &answer).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerTest, RefusesAddressesThatOthersCanReachWithoutTls) {
  EXPECT_EQ(StartCode("0.0.0.0:0"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StartCode("[::]:0"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StartCode("unix://" + directory_.path() + "/" + std::string(120, 'a')),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, ASecondServerIsRefused) {
  StartServer();
  EXPECT_EQ(StartCode("unix://" + SocketPath()), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Serves(channel_));
}

TEST_F(ServerTest, LoopbackTcpTellsItsPortAndDoesNotShareIt) {
  options_.listen = {"127.0.0.1:0", "unix://" + SocketPath()};
  StartServer();
  const std::vector<std::string> addresses = server_->addresses();
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_NE(addresses[0], "127.0.0.1:0");
  EXPECT_TRUE(Serves(grpc::CreateChannel(addresses[0], grpc::InsecureChannelCredentials())));
  EXPECT_EQ(StartCode(addresses[0]), absl::StatusCode::kAlreadyExists);
}

TEST_F(ServerTest, BindsAllOrNothing) {
  options_.listen = {"unix://" + SocketPath(), "unix:///proc/nowhere/s.sock"};
  EXPECT_FALSE(Server::Start(options_, &backend_).ok());
  EXPECT_FALSE(std::filesystem::exists(SocketPath()));
}

TEST_F(ServerTest, ShutdownRemovesTheSocketAndCancelsWhatIsLeft) {
  StartServer();
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  server_->Shutdown(absl::Milliseconds(100));
  EXPECT_TRUE(session->broken());
  EXPECT_FALSE(call.End().ok());
  EXPECT_FALSE(std::filesystem::exists(SocketPath()));
}

TEST_F(ServerTest, GarbageBytesHarmNobody) {
  StartServer();
  for (const std::string& garbage :
       {std::string(4096, '\xFF'), std::string("GET / HTTP/1.1\r\n\r\n"), std::string(65536, '\0'),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string(1000, '\xAA')}) {
    const OwnedFd fd = Connect();
    EXPECT_GT(::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
  }
  EXPECT_TRUE(Serves(channel_));
}

TEST_F(ServerTest, AFrameThatDoesNotParseIsInvalidArgument) {
  StartServer();
  std::string answer;
  const grpc::Status consume = CallRaw("/datapy_kafka.v1.KafkaSidecar/Consume", "\x0A\xFF\xFF", &answer);
  EXPECT_EQ(consume.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(consume).reason(), "INVALID_ARGUMENT");
  const grpc::Status produce = CallRaw("/datapy_kafka.v1.KafkaSidecar/Produce", "\xFF\xFF\xFF", &answer);
  EXPECT_EQ(produce.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Serves(channel_));
}

TEST_F(ServerTest, ARequestOfTooManyPartsIsResourceExhausted) {
  StartServer();
  const auto expect_refused = [this](const std::string& method, const std::string& request) {
    std::string answer;
    const grpc::Status status = CallRaw("/datapy_kafka.v1.KafkaSidecar/" + method, request, &answer);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << method << status.error_message();
    EXPECT_EQ(ErrorInfoOf(status).reason(), "RESOURCE_EXHAUSTED");
    EXPECT_TRUE(Serves(channel_));
  };
  expect_refused("Consume", Crowd(2, kMaxRequestEntries));
  expect_refused("Produce", Crowd(3, kMaxRequestEntries));
  expect_refused("CheckConnection", Crowd(1, kMaxRequestEntries));
}

TEST_F(ServerTest, AFrameOverTheLimitIsResourceExhausted) {
  options_.limits.max_request_bytes = 64 << 10;
  StartServer();
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  v1::ConsumeRequest large;
  large.mutable_stop()->set_reason(std::string(100 << 10, 'x'));
  call.Write(large);
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(session->WaitBroken());
  EXPECT_TRUE(Serves(NewChannel()));
}

// A call that starts a session and waits for its end; many of them need no
// thread each.
class WaitingCall final : public grpc::ClientBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse> {
 public:
  WaitingCall(v1::KafkaSidecar::Stub* stub, absl::BlockingCounter* done)
      : done_(done), start_(Call::StartRequest()) {
    stub->async()->Consume(&context_, this);
    StartWrite(&start_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }
  void OnDone(const grpc::Status& /*status*/) override { done_->DecrementCount(); }

 private:
  absl::BlockingCounter* const done_;
  const v1::ConsumeRequest start_;
  grpc::ClientContext context_;
};

TEST_F(ServerTest, StreamsOfOneConnectionAreBounded) {
  options_.limits.max_streams_per_connection = 5;
  StartServer();
  constexpr int kStreams = 1000;
  absl::BlockingCounter done(kStreams);
  std::vector<std::unique_ptr<WaitingCall>> calls;
  for (int i = 0; i < kStreams; ++i) calls.push_back(std::make_unique<WaitingCall>(stub_.get(), &done));
  EXPECT_NE(backend_.WaitSession(4), nullptr);
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_LE(backend_.session_count(), 5u);
  EXPECT_TRUE(Serves(NewChannel()));
  for (auto& call : calls) call->Cancel();
  done.Wait();
}

// Whatever the connection lets through: a client need not heed its bound.
TEST_F(ServerTest, OpenCallsAreBoundedAndMakeRoomAgain) {
  options_.limits.max_sessions = 2;
  StartServer();
  std::vector<std::unique_ptr<Call>> open;
  for (int i = 0; i < 8; ++i) {
    open.push_back(std::make_unique<Call>(stub_.get()));
    ASSERT_TRUE(open.back()->Start());
    ASSERT_NE(backend_.WaitSession(i), nullptr);
  }
  Call refused(stub_.get());
  refused.Start();
  const grpc::Status status = refused.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "RESOURCE_EXHAUSTED");
  open.clear();
  bool taken = false;
  for (int i = 0; i < 100 && !taken; ++i) {
    Call call(stub_.get());
    taken = call.Start() && backend_.WaitSession(8) != nullptr;
  }
  EXPECT_TRUE(taken);
}

TEST_F(ServerTest, IdleConnectionsAreBoundedAndMakeRoomAgain) {
  StartServer();
  std::vector<OwnedFd> idle;
  for (int i = 0; i < 300; ++i) idle.push_back(Connect());
  EXPECT_TRUE(AwaitClosed(idle, 300 - 256, kPatience));
  idle.clear();
  bool serves = false;
  for (int i = 0; i < 50 && !serves; ++i) serves = Serves(NewChannel());
  EXPECT_TRUE(serves);
}

TEST_F(ServerTest, IdleConnectionsAreClosedInTime) {
  options_.limits.idle_timeout = absl::Milliseconds(200);
  StartServer();
  ASSERT_TRUE(Serves(channel_));
  const absl::Time end = absl::Now() + kPatience;
  while (channel_->GetState(false) == GRPC_CHANNEL_READY && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(20));
  EXPECT_NE(channel_->GetState(false), GRPC_CHANNEL_READY);
  EXPECT_TRUE(Serves(channel_));
}

TEST_F(ServerTest, UsersWhoAreNotNamedAreRefused) {
  if (::geteuid() != 0) GTEST_FAIL() << "needs root to become another user";
  options_.allowed_uids = {12345};
  StartServer();
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(SocketPath().c_str(), 0666), 0);
  const auto refused = [&](uid_t user) {
    // The kernel notes the effective user at connect.
    EXPECT_EQ(::seteuid(user), 0);
    const OwnedFd fd = Connect();
    EXPECT_EQ(::seteuid(0), 0);
    timeval timeout{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    ::send(fd.get(), preface, sizeof(preface), MSG_NOSIGNAL);
    char byte;
    return ::recv(fd.get(), &byte, 1, 0) <= 0;
  };
  EXPECT_TRUE(refused(23456));
  EXPECT_FALSE(refused(12345));
  EXPECT_FALSE(refused(0));
}

}  // namespace
}  // namespace datapy_kafka::rpc
