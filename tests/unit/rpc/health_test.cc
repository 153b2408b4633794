// grpc.health.v1 as clients see it: entries come, change and go; watches follow.
#include <gmock/gmock.h>

#include "fakes.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace datapy_kafka::rpc {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthCheckRequest Ask(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
}

class HealthTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    StartServer();
    health_ = Health::NewStub(channel_);
  }
  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    return health_->Check(&context, Ask(service), response);
  }
  std::string Now(const std::string& service) {
    HealthCheckResponse response;
    const grpc::Status status = Check(service, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return "NOT_FOUND";
    return status.ok() ? HealthCheckResponse::ServingStatus_Name(response.status()) : status.error_message();
  }

  std::unique_ptr<Health::Stub> health_;
};

// One Watch call.
class Watch {
 public:
  Watch(Health::Stub* stub, const std::string& service) {
    SetDeadline(&context_);
    reader_ = stub->Watch(&context_, Ask(service));
  }
  std::string Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? HealthCheckResponse::ServingStatus_Name(response.status()) : "end";
  }
  grpc::Status End() {
    while (Next() != "end") {
    }
    return reader_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST_F(HealthTest, AnEntryLivesAsLongAsItsSession) {
  EXPECT_EQ(Now("session/s1"), "NOT_FOUND");
  server_->SetServing("session/s1", true);
  EXPECT_EQ(Now("session/s1"), "SERVING");
  server_->SetServing("session/s1", false);
  EXPECT_EQ(Now("session/s1"), "NOT_SERVING");
  server_->Forget("session/s1");
  EXPECT_EQ(Now("session/s1"), "NOT_FOUND");
  server_->Forget("session/s1");  // nothing to forget
  EXPECT_EQ(Now(""), "NOT_SERVING") << "the daemon's own is another";
}

TEST_F(HealthTest, NotFoundSaysWhatThereIs) {
  HealthCheckResponse response;
  const grpc::Status status = Check("sesion/s1", &response);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("\"sesion/s1\""));
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("session/<id>"));
}

TEST_F(HealthTest, AWatchSeesEachState) {
  Watch early(health_.get(), "session/s1");
  EXPECT_EQ(early.Next(), "SERVICE_UNKNOWN");
  server_->SetServing("session/s1", true);
  EXPECT_EQ(early.Next(), "SERVING");
  Watch late(health_.get(), "session/s1");
  EXPECT_EQ(late.Next(), "SERVING");
  server_->SetServing("session/s2", false);  // another's
  server_->SetServing("session/s1", false);
  EXPECT_EQ(early.Next(), "NOT_SERVING");
  EXPECT_EQ(late.Next(), "NOT_SERVING");
  server_->Forget("session/s1");
  EXPECT_EQ(early.Next(), "SERVICE_UNKNOWN");
  EXPECT_EQ(late.Next(), "SERVICE_UNKNOWN");
}

TEST_F(HealthTest, AWatchEndsWithTheServer) {
  server_->SetServing("", true);
  Watch watch(health_.get(), "");
  EXPECT_EQ(watch.Next(), "SERVING");
  std::thread stopping([this] { server_->Shutdown(absl::Seconds(20)); });
  EXPECT_EQ(watch.Next(), "NOT_SERVING");
  EXPECT_EQ(watch.End().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopping.join();
}

TEST_F(HealthTest, ACancelledWatchIsForgotten) {
  for (int i = 0; i < 20; ++i) {
    Watch watch(health_.get(), "");
    EXPECT_EQ(watch.Next(), "NOT_SERVING");
    watch.Cancel();
    EXPECT_EQ(watch.End().error_code(), grpc::StatusCode::CANCELLED);
  }
  server_->SetServing("", true);
  EXPECT_EQ(Now(""), "SERVING");
}

TEST_F(HealthTest, ALongNameIsRefused) {
  EXPECT_THAT(Now(std::string(201, 'x')), ::testing::HasSubstr("200 bytes"));
  EXPECT_EQ(Now(std::string(200, 'x')), "NOT_FOUND");
  Watch watch(health_.get(), std::string(201, 'x'));
  EXPECT_EQ(watch.End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(HealthTest, ManyWatchesAndChangesAtTheSameTime) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int round = 0; round < 30; ++round) {
        Watch watch(health_.get(), "session/s1");
        watch.Next();
        if (round % 2 == i % 2) watch.Next();
        watch.Cancel();
        watch.End();
      }
    });
  }
  std::atomic<bool> done{false};
  std::thread changes([this, &done] {
    for (bool serving = true; !done; serving = !serving) {
      server_->SetServing("session/s1", serving);
      if (!serving) server_->Forget("session/s1");
      absl::SleepFor(absl::Milliseconds(1));
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  changes.join();
}

}  // namespace
}  // namespace datapy_kafka::rpc
