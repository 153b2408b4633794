// A Consume call from start to end, over a real socket.
#include <gmock/gmock.h>

#include <atomic>

#include "fakes.h"

namespace datapy_kafka::rpc {
namespace {

class ConsumeTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer(); }
};

v1::ConsumeRequest AckOf(uint64_t first, uint64_t last) {
  v1::ConsumeRequest request;
  v1::DeliveryRange* range = request.mutable_ack()->add_ranges();
  range->set_first_id(first);
  range->set_last_id(last);
  return request;
}

TEST_F(ConsumeTest, DeliversAndTakesAcksUntilTheClientHalfCloses) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  ports::StartedFrame started;
  started.session_id = "s1";
  started.drain_timeout = absl::Milliseconds(1500);
  session->Send(started);
  session->Send(MakeDeliveries(1, 2));

  const auto first = call.Read();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->started().session_id(), "s1");
  EXPECT_EQ(first->started().drain_timeout().nanos(), 500'000'000);
  const auto records = call.Read();
  ASSERT_TRUE(records.has_value());
  ASSERT_EQ(records->records().records_size(), 2);
  EXPECT_EQ(records->records().records(1).delivery_id(), 2u);
  EXPECT_EQ(records->records().records(1).key_text(), "k2");

  ASSERT_TRUE(call.Write(AckOf(1, 2)));
  v1::ConsumeRequest nack;
  v1::Nack* one = nack.mutable_ack()->add_nacks();
  one->set_delivery_id(3);
  one->set_error("bad \xC3\xA9");
  one->set_reason(v1::NACK_REASON_STOPPING);
  ASSERT_TRUE(call.Write(nack));
  v1::ConsumeRequest release;
  release.mutable_release()->set_revocation_id(9);
  ASSERT_TRUE(call.Write(release));
  v1::ConsumeRequest stop;
  stop.mutable_stop()->set_reason("SIGTERM");
  ASSERT_TRUE(call.Write(stop));
  const auto frames = session->WaitFrames(4);
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_EQ(std::get<ports::AckFrame>(frames[0]).ranges,
            (std::vector<ports::DeliveryRange>{{DeliveryId(1), DeliveryId(2)}}));
  EXPECT_EQ(std::get<ports::AckFrame>(frames[1]).nacks,
            (std::vector<ports::Nack>{{DeliveryId(3), "bad \xC3\xA9", true}}));
  EXPECT_EQ(std::get<ports::ReleaseFrame>(frames[2]).revocation_id, 9u);
  EXPECT_EQ(std::get<ports::StopFrame>(frames[3]).reason, "SIGTERM");

  call.HalfClose();
  EXPECT_TRUE(session->WaitHalfClosed());
  ports::StoppedFrame stopped;
  stopped.totals.acked = 2;
  session->Send(stopped);
  session->Finish(absl::OkStatus());
  const auto last = call.Read();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->stopped().totals().acked(), 2u);
  EXPECT_TRUE(call.End().ok());
  EXPECT_FALSE(session->broken());
}

TEST_F(ConsumeTest, ASessionMaySendAndFinishBeforeStartSessionReturns) {
  backend_.before_return = [](FakeSession* session) {
    std::thread([session] {
      session->Send(ports::StartedFrame{});
      session->Send(MakeDeliveries(1, 3));
      session->Finish(ErrorBuilder(ErrorReason::kUnknownTopic).Topic("orders").Build("no topic"));
    }).join();
  };
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  EXPECT_TRUE(call.Read()->has_started());
  EXPECT_EQ(call.Read()->records().records_size(), 3);
  EXPECT_FALSE(call.Read().has_value());
  const grpc::Status status = call.End();
  EXPECT_EQ(ErrorInfoOf(status).reason(), "UNKNOWN_TOPIC");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("topic"), "orders");
}

TEST_F(ConsumeTest, ReadsTheNextFrameOnlyWhenTheSessionAsks) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  session->StopReading();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(call.Write(AckOf(i, i)));
  EXPECT_EQ(session->WaitFrames(1).size(), 1u);
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(session->WaitFrames(1).size(), 1u);
}

TEST_F(ConsumeTest, CancelBreaksTheSession) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  session->Send(MakeDeliveries(1, 1));
  ASSERT_TRUE(call.Read().has_value());
  call.Cancel();
  EXPECT_TRUE(session->WaitBroken());
  session->Send(MakeDeliveries(2, 1));  // goes nowhere, harms nothing
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ConsumeTest, ASessionMayOutliveItsCall) {
  auto call = std::make_unique<Call>(stub_.get());
  ASSERT_TRUE(call->Start());
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  session->finish_when_broken = false;
  call->Cancel();
  EXPECT_TRUE(session->WaitBroken());
  EXPECT_EQ(call->End().error_code(), grpc::StatusCode::CANCELLED);
  server_->Shutdown(absl::Seconds(2));
  session->Send(MakeDeliveries(1, 10));
  session->Finish(absl::OkStatus());
}

TEST_F(ConsumeTest, CancelInTheMiddleOfAWriteThatTheClientDoesNotRead) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Start(true));
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  // More than flow control and socket take.
  for (int i = 0; i < 64; ++i) session->Send(MakeDeliveries(1 + 100 * i, 100, 0, 10'000));
  call.Cancel();
  EXPECT_TRUE(session->WaitBroken());
}

TEST_F(ConsumeTest, AClientThatDoesNotReadIsCutOffAtTheBound) {
  Call call(stub_.get());
  v1::ConsumeRequest start = Call::StartRequest();
  start.mutable_start()->set_max_in_flight_records(100);
  ASSERT_TRUE(call.Write(start));
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  // A window of 100 holds 1,224 waiting records at most; these never do.
  for (int i = 0; i < 400 && !session->broken(); ++i)
    session->Send(MakeDeliveries(1 + 100 * i, 100, 0, 10'000));
  EXPECT_TRUE(session->WaitBroken());
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ConsumeTest, ProtocolErrorsEndTheCallAndTheSession) {
  struct Case {
    std::string name;
    v1::ConsumeRequest request;
    grpc::StatusCode code;
    std::string reason;
  };
  std::vector<Case> cases;
  cases.push_back(
      {"second start", Call::StartRequest(), grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT"});
  cases.push_back({"reversed range", AckOf(5, 4), grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT"});
  cases.push_back({"empty frame", {}, grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT"});
  v1::ConsumeRequest many;
  for (int i = 0; i < 65'537; ++i) many.mutable_ack()->add_ranges()->set_first_id(i);
  cases.push_back({"ranges", many, grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"});
  v1::ConsumeRequest nacks;
  for (int i = 0; i < 65'537; ++i) nacks.mutable_ack()->add_nacks()->set_delivery_id(i);
  cases.push_back({"nacks", nacks, grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"});
  size_t index = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    Call call(stub_.get());
    ASSERT_TRUE(call.Start());
    auto session = backend_.WaitSession(index++);
    ASSERT_NE(session, nullptr);
    ASSERT_TRUE(call.Write(one.request));
    const grpc::Status status = call.End();
    EXPECT_EQ(status.error_code(), one.code) << status.error_message();
    EXPECT_EQ(ErrorInfoOf(status).reason(), one.reason);
    EXPECT_TRUE(session->WaitBroken());
    EXPECT_TRUE(session->WaitFrames(0).empty());
  }
}

TEST_F(ConsumeTest, AckBeforeStartIsOutOfOrder) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Write(AckOf(1, 1)));
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "PROTOCOL_VIOLATION");
  EXPECT_EQ(ErrorInfoOf(status).domain(), "datapy-kafka-sidecar");
  EXPECT_EQ(backend_.session_count(), 0u);
}

TEST_F(ConsumeTest, AnEmptyCallIsOutOfOrder) {
  Call call(stub_.get());
  call.HalfClose();
  EXPECT_EQ(call.End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ConsumeTest, ARefusedSessionEndsTheCallWithItsReason) {
  backend_.refuse_session = ErrorBuilder(ErrorReason::kResourceExhausted).Build("64 sessions are open");
  Call call(stub_.get());
  ASSERT_TRUE(call.Start());
  const grpc::Status status = call.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "64 sessions are open");
}

TEST_F(ConsumeTest, ARecordThatCannotFitEndsTheSession) {
  Call call(stub_.get());
  v1::ConsumeRequest start = Call::StartRequest(true);
  start.mutable_start()->set_max_frame_bytes(4096);
  ASSERT_TRUE(call.Write(start));
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  session->Send(MakeDeliveries(1, 1, 0, 10));
  session->Send(MakeDeliveries(2, 1, 0, 4096));
  session->Send(MakeDeliveries(3, 1, 0, 10));
  const auto fits = call.Read();
  ASSERT_TRUE(fits.has_value());
  EXPECT_EQ(fits->columns().offsets_size(), 1);
  EXPECT_FALSE(call.Read().has_value());
  const grpc::Status status = call.End();
  EXPECT_EQ(ErrorInfoOf(status).reason(), "RECORD_TOO_LARGE");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("offset"), "2");
  EXPECT_THAT(status.error_message(), testing::HasSubstr("max_frame_bytes"));
  EXPECT_TRUE(session->WaitBroken());
}

TEST_F(ConsumeTest, TooLargeARecordIsToldEvenWhenTheSessionHasFinished) {
  Call call(stub_.get());
  v1::ConsumeRequest start = Call::StartRequest(true);
  start.mutable_start()->set_max_frame_bytes(2048);
  backend_.before_return = [](FakeSession* session) {
    session->Send(MakeDeliveries(1, 1, 0, 10));
    session->Send(MakeDeliveries(2, 1, 0, 4096));
    session->Finish(absl::OkStatus());
  };
  ASSERT_TRUE(call.Write(start));
  EXPECT_EQ(ErrorInfoOf(call.End()).reason(), "RECORD_TOO_LARGE");
}

TEST_F(ConsumeTest, KeepsOrderAndMergesWhatWaits) {
  Call call(stub_.get());
  ASSERT_TRUE(call.Start(true));
  auto session = backend_.WaitSession();
  ASSERT_NE(session, nullptr);
  constexpr int kFrames = 3000;
  for (int i = 0; i < kFrames; ++i) {
    session->Send(MakeDeliveries(1 + i, 1, i % 2));
    if (i % 100 == 99) session->Send(ports::WithdrawnFrame{{"orders", 0}, DeliveryId(1 + i)});
  }
  session->Finish(absl::OkStatus());
  int64_t next = 1;
  int messages = 0;
  uint64_t withdrawn = 0;
  while (const auto frame = call.Read()) {
    ++messages;
    if (frame->has_withdrawn()) {
      withdrawn = frame->withdrawn().through_delivery_id();
      EXPECT_EQ(static_cast<int64_t>(withdrawn), next - 1);
      continue;
    }
    ASSERT_TRUE(frame->has_columns());
    ASSERT_EQ(static_cast<int64_t>(frame->columns().first_delivery_id()), next);
    for (const int64_t offset : frame->columns().offsets()) EXPECT_EQ(offset, next++);
  }
  EXPECT_EQ(next, kFrames + 1);
  EXPECT_EQ(withdrawn, static_cast<uint64_t>(kFrames));
  EXPECT_LT(messages, kFrames / 2) << "frames that waited were not merged";
  EXPECT_TRUE(call.End().ok());
}

TEST_F(ConsumeTest, ManyCallsThatStartCancelAndFinishAtOnce) {
  std::atomic<bool> stop{false};
  std::thread engine([&] {
    for (size_t i = 0; !stop; ++i) {
      const auto there = [&] { return stop || backend_.session_count() > i; };
      while (!there()) absl::SleepFor(absl::Microseconds(100));
      if (stop) return;
      auto session = backend_.WaitSession(i);
      session->Send(ports::StartedFrame{});
      session->Send(MakeDeliveries(1, 50));
      if (i % 3 == 0) session->Finish(absl::OkStatus());
    }
  });
  for (int i = 0; i < 200; ++i) {
    Call call(stub_.get());
    call.Start(i % 2 == 0);
    if (i % 5 == 0) call.HalfClose();
    if (i % 2 == 0) call.Read();
    call.Cancel();
    call.End();
  }
  stop = true;
  engine.join();
}

}  // namespace
}  // namespace datapy_kafka::rpc
