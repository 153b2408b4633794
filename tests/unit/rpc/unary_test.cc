// CheckConnection, Produce and GetStatus over a real socket, and what Start
// makes of its fields.
#include <gmock/gmock.h>

#include "fakes.h"
#include "rpc/convert_session.h"
#include "rpc/request_parser.h"

namespace datapy_kafka::rpc {
namespace {

using testing::HasSubstr;

class UnaryTest : public ServerFixture {
 protected:
  void SetUp() override { StartServer(); }
  grpc::Status Produce(const v1::ProduceRequest& request, v1::ProduceResponse* response) {
    grpc::ClientContext context;
    return stub_->Produce(&context, request, response);
  }
  // Produces, which is to succeed; the batch that the backend was given.
  ports::ProduceBatch GivenBy(const v1::ProduceRequest& request) {
    Shared<ports::ProduceBatch> given;
    backend_.on_produce = [&given](const ports::ProduceBatch& batch) {
      given = batch;
      return ports::ProduceResult{};
    };
    v1::ProduceResponse response;
    const grpc::Status status = Produce(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return given.Get();
  }
  static v1::ProduceRequest Request() {
    v1::ProduceRequest request;
    request.mutable_connection()->set_bootstrap_servers("localhost:9092");
    request.set_topic("out");
    return request;
  }
};

TEST_F(UnaryTest, CheckConnectionAnswers) {
  grpc::ClientContext context;
  v1::CheckConnectionRequest request;
  request.mutable_connection()->set_name("default");
  request.mutable_timeout()->set_seconds(3600);
  v1::CheckConnectionResponse response;
  ASSERT_TRUE(stub_->CheckConnection(&context, request, &response).ok());
  EXPECT_EQ(response.broker_count(), 3);
  EXPECT_THAT(response.topics(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(response.duration_ms(), 7);
  EXPECT_EQ(backend_.checked_timeout.Get(), absl::Seconds(60));
}

TEST_F(UnaryTest, CheckConnectionSaysWhatFailed) {
  grpc::ClientContext context;
  v1::CheckConnectionRequest request;
  request.mutable_connection()->set_bootstrap_servers("down:9092");
  v1::CheckConnectionResponse response;
  const grpc::Status status = stub_->CheckConnection(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "BROKER_UNREACHABLE");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("broker"), "down:9092");
}

TEST_F(UnaryTest, ConnectionsAreRefusedWhenTheyAreAmbiguousMissingOrUnknown) {
  const auto check = [&](const v1::CheckConnectionRequest& request) {
    grpc::ClientContext context;
    v1::CheckConnectionResponse response;
    return stub_->CheckConnection(&context, request, &response);
  };
  v1::CheckConnectionRequest request;
  EXPECT_EQ(check(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.mutable_connection()->set_name("default");
  request.mutable_connection()->mutable_sasl()->set_password("hunter2");
  const grpc::Status both = check(request);
  EXPECT_EQ(both.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(both.error_message(), testing::Not(HasSubstr("hunter2")));
  request.mutable_connection()->clear_sasl();
  request.mutable_connection()->set_name("other");
  EXPECT_EQ(ErrorInfoOf(check(request)).reason(), "UNKNOWN_CONNECTION");
}

TEST_F(UnaryTest, ProducesRows) {
  v1::ProduceRequest request = Request();
  request.add_headers()->set_name("all");
  v1::ProduceRow* row = request.mutable_rows()->add_records();
  row->set_key("k");
  row->set_key_text("not used");
  row->set_value("");
  row->set_partition(2);
  row->set_timestamp_ms(5);
  row->add_headers()->set_name("h");
  row = request.mutable_rows()->add_records();
  row->set_value_text("text");
  backend_.on_produce = [](const ports::ProduceBatch& batch) -> absl::StatusOr<ports::ProduceResult> {
    EXPECT_EQ(batch.topic, "out");
    EXPECT_EQ(batch.headers.size(), 1u);
    EXPECT_EQ(batch.records.size(), 2u);
    EXPECT_EQ(batch.records[0].key, "k");
    EXPECT_EQ(batch.records[0].value, "");
    EXPECT_EQ(batch.records[0].partition, 2);
    EXPECT_EQ(batch.records[0].timestamp_ms, 5);
    EXPECT_EQ(batch.records[0].headers[0].name, "h");
    EXPECT_EQ(batch.records[0].headers[0].value, std::nullopt);
    EXPECT_EQ(batch.records[1].key, std::nullopt);
    EXPECT_EQ(batch.records[1].value, "text");
    EXPECT_EQ(batch.records[1].partition, -1);
    ports::ProduceResult result;
    result.succeeded = 1;
    result.partitions = {2, -1};
    result.offsets = {40, -1};
    result.failures = {{1, ErrorReason::kRecordTooLarge, "too large", false}};
    return result;
  };
  v1::ProduceResponse response;
  const grpc::Status status = Produce(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.succeeded(), 1u);
  EXPECT_THAT(response.offsets(), testing::ElementsAre(40, -1));
  EXPECT_EQ(response.failures(0).reason(), v1::ERROR_REASON_RECORD_TOO_LARGE);
}

TEST_F(UnaryTest, ProducesColumnsAndOwnsTheirBytesBeyondTheCall) {
  v1::ProduceRequest request = Request();
  v1::ProduceColumns* columns = request.mutable_columns();
  for (const char* value : {"a", "", "c"}) columns->add_value_bytes(value);
  for (const char* key : {"1", "2", "3"}) columns->add_keys(key);
  columns->add_null_values(1);
  v1::RecordHeaders* headers = columns->add_headers();
  headers->set_index(2);
  headers->add_headers()->set_name("h");
  const ports::ProduceBatch kept = GivenBy(request);
  ASSERT_EQ(kept.records.size(), 3u);
  EXPECT_EQ(kept.records[0].value, "a");
  EXPECT_EQ(kept.records[1].value, std::nullopt);
  EXPECT_EQ(kept.records[1].key, "2");
  EXPECT_EQ(kept.records[2].headers[0].name, "h");
}

TEST_F(UnaryTest, ProducesTheLinesOfAText) {
  v1::ProduceRequest request = Request();
  v1::ProduceColumns* columns = request.mutable_columns();
  columns->set_value_lines("{\"a\":1}\n\nnull\nlast");
  columns->set_key_lines("1\n2\n3\n\n");
  columns->add_null_values(2);
  const ports::ProduceBatch kept = GivenBy(request);
  std::vector<std::pair<std::optional<absl::string_view>, std::optional<absl::string_view>>> got;
  for (const ports::OutgoingRecord& record : kept.records) got.emplace_back(record.key, record.value);
  EXPECT_THAT(got, testing::ElementsAre(testing::Pair("1", "{\"a\":1}"), testing::Pair("2", ""),
                                        testing::Pair("3", std::nullopt), testing::Pair("", "last")));
}

TEST_F(UnaryTest, ALineOfATextCountsAsOne) {
  v1::ProduceRequest request = Request();
  request.mutable_columns()->set_value_lines(std::string(kMaxRequestEntries, '\n'));
  v1::ProduceResponse response;
  const grpc::Status status = Produce(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("more than 500000 texts"));
}

TEST_F(UnaryTest, RefusesColumnsThatDoNotFitTogether) {
  const auto refused = [&](void (*change)(v1::ProduceColumns*), const char* text) {
    v1::ProduceRequest request = Request();
    request.mutable_columns()->add_values("a");
    change(request.mutable_columns());
    v1::ProduceResponse response;
    const grpc::Status status = Produce(request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(text));
  };
  refused([](v1::ProduceColumns* c) { c->add_value_bytes("b"); },
          "more than one of the text, the bytes and the lines column of its values");
  refused([](v1::ProduceColumns* c) { c->set_value_lines("b"); }, "more than one of");
  refused([](v1::ProduceColumns* c) { c->set_key_lines("1\n2\n"); }, "2 keys for 1 records");
  refused([](v1::ProduceColumns* c) { c->add_null_values(1); }, "null_values");
  refused([](v1::ProduceColumns* c) { c->add_null_keys(0); }, "null_keys");
  refused(
      [](v1::ProduceColumns* c) {
        c->add_keys("1");
        c->add_keys("2");
      },
      "2 keys for 1 records");
  refused([](v1::ProduceColumns* c) { c->add_headers()->set_index(1); }, "index 1");
}

TEST_F(UnaryTest, RefusesProduceWithEverythingThatIsWrong) {
  v1::ProduceRequest request;
  request.mutable_rows()->add_records();
  request.mutable_timeout()->set_seconds(-1);
  request.set_mode(static_cast<v1::ProduceMode>(9));
  v1::ProduceResponse response;
  const std::string message = Produce(request, &response).error_message();
  for (const char* text : {"connection", "topic", "timeout", "mode 9"}) EXPECT_THAT(message, HasSubstr(text));
}

TEST_F(UnaryTest, StatusShowsSessions) {
  ports::DaemonStatus daemon;
  daemon.version = "1.2";
  ports::SessionStatus session;
  session.session_id = "s1";
  session.topics = {"orders"};
  session.totals.acked = 5;
  session.oldest_unacked =
      ports::OldestUnacked{{"orders", 1}, Offset(9), DeliveryId(4), 2, absl::Now() - absl::Seconds(60)};
  session.partitions.push_back({{"orders", 1}, Offset(10), Offset(9), Offset(20), 11, 1, true});
  session.recent_errors.push_back({absl::UnixEpoch(), ErrorReason::kFenced, "fenced"});
  daemon.sessions.push_back(session);
  backend_.status = daemon;
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &response).ok());
  EXPECT_EQ(response.version(), "1.2");
  ASSERT_EQ(response.sessions_size(), 1);
  EXPECT_EQ(response.sessions(0).totals().acked(), 5u);
  EXPECT_GE(response.sessions(0).oldest_unacked().age().seconds(), 59);
  EXPECT_EQ(response.sessions(0).partitions(0).lag(), 11);
  EXPECT_EQ(response.sessions(0).recent_errors(0).reason(), v1::ERROR_REASON_FENCED);
}

// ---- Start ------------------------------------------------------------------

class StartTest : public testing::Test {
 protected:
  absl::StatusOr<StartOptions> Convert(const v1::ConsumeRequest& request) {
    return ConvertStart(request.start(), limits_, absl::Seconds(30), &backend_);
  }
  config::Limits limits_;
  FakeBackend backend_;
};

TEST_F(StartTest, AppliesDefaults) {
  v1::ConsumeRequest request;
  request.mutable_start()->mutable_connection()->set_name("default");
  request.mutable_start()->add_topics("orders");
  request.mutable_start()->set_group_id("g");
  const auto options = Convert(request);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_FALSE(options->columns);
  EXPECT_EQ(options->max_frame_bytes, 4u << 20);
  EXPECT_EQ(options->session.connection.bootstrap_servers, "configured:9092");
  EXPECT_EQ(options->session.max_in_flight_records, 10'000u);
  EXPECT_EQ(options->session.max_in_flight_bytes, 32u << 20);
  EXPECT_EQ(options->session.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options->session.ack_timeout, std::nullopt);
  EXPECT_EQ(options->session.failure_policy.mode, config::FailureMode::kContinue);
  EXPECT_EQ(options->session.failure_policy.backoff.size(), 3u);
}

TEST_F(StartTest, TakesTheLowerOfWishAndLimit) {
  limits_.max_in_flight_records = 500;
  v1::ConsumeRequest request = Call::StartRequest(true);
  request.mutable_start()->set_max_in_flight_records(1'000'000);
  request.mutable_start()->set_max_in_flight_bytes(10);
  request.mutable_start()->mutable_drain_timeout()->set_seconds(3000);
  request.mutable_start()->mutable_failure_policy()->set_mode(v1::FAILURE_MODE_RETRY);
  request.mutable_start()->mutable_failure_policy()->set_max_retries(0);
  request.mutable_start()->mutable_failure_policy()->add_backoff_ms(7);
  const auto options = Convert(request);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->columns);
  EXPECT_EQ(options->session.max_in_flight_records, 500u);
  EXPECT_EQ(options->session.max_in_flight_bytes, 10u);
  EXPECT_EQ(options->session.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options->session.failure_policy.max_retries, 0u);
  EXPECT_EQ(options->session.failure_policy.backoff, std::vector<absl::Duration>{absl::Milliseconds(7)});
}

TEST_F(StartTest, NamesEverythingThatIsWrong) {
  v1::ConsumeRequest request;
  v1::Start* start = request.mutable_start();
  start->set_commit_strategy(static_cast<v1::CommitStrategy>(2));
  start->set_auto_offset_reset(static_cast<v1::OffsetReset>(9));
  start->set_max_in_flight_records(0);
  start->set_max_frame_bytes(1);
  start->mutable_ack_timeout()->set_seconds(-1);
  start->mutable_failure_policy()->set_max_retries(1001);
  start->mutable_failure_policy()->add_backoff_ms(4'000'000);
  const auto options = Convert(request);
  ASSERT_FALSE(options.ok());
  const std::string message(options.status().message());
  for (const char* text :
       {"connection is missing", "topics", "group_id", "batch nor periodic", "auto_offset_reset 9",
        "max_in_flight_records", "max_frame_bytes", "ack_timeout", "1001", "4000000"}) {
    EXPECT_THAT(message, HasSubstr(text));
  }
}

TEST_F(StartTest, RefusesPropertiesThatLoadCode) {
  v1::ConsumeRequest request = Call::StartRequest();
  (*request.mutable_start()->mutable_properties())["plugin.library.paths"] = "/tmp/x.so";
  EXPECT_EQ(GetErrorInfo(Convert(request).status()).reason, ErrorReason::kPropertyRefused);
}

}  // namespace
}  // namespace datapy_kafka::rpc
