#include "datapy_kafka/engine/session_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "fakes.h"

namespace datapy_kafka::engine {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

PartitionOffset At(int64_t offset, const TopicPartition& tp = kP0) { return {tp, Offset(offset)}; }

class SessionManagerTest : public ::testing::Test {
 protected:
  std::shared_ptr<ports::Session> Open(config::SessionOptions options = {}) {
    options.topics = {"orders"};
    options.group_id = "g";
    auto session = manager_.Open(std::move(options), &stream_);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }
  // A session with records 0..2 of orders[0] delivered under ids 1..3.
  std::shared_ptr<ports::Session> OpenWithThreeRecords(config::SessionOptions options = {}) {
    auto session = Open(std::move(options));
    kafka_->Push(ports::PartitionsAssigned{{At(0)}});
    kafka_->PushRecords(0, 3);
    EXPECT_TRUE(stream_.Await<ports::DeliveriesFrame>());
    return session;
  }
  static ports::AckFrame Ack(uint64_t first, uint64_t last) {
    return {{{DeliveryId(first), DeliveryId(last)}}, {}};
  }
  static ports::AckFrame NackOf(uint64_t id) { return {{}, {{DeliveryId(id), "boom", false}}}; }
  bool Committed(int64_t offset) {
    return Eventually([&] { return ::testing::Matches(Contains(At(offset)))(kafka_->committed()); });
  }

  std::shared_ptr<FakeKafka> kafka_ = std::make_shared<FakeKafka>();
  FakeStream stream_;
  SessionManager manager_{
      ManagerOptions{},
      [this](const config::SessionOptions&,
             std::function<void()> wake) -> absl::StatusOr<std::unique_ptr<ports::RecordSource>> {
        return std::make_unique<FakeSource>(kafka_, std::move(wake));
      }};
};

TEST_F(SessionManagerTest, DeliversAndCommitsWhatIsAcked) {
  auto session = OpenWithThreeRecords();
  const auto frame = stream_.Await<ports::DeliveriesFrame>();
  EXPECT_EQ(frame->tp, kP0);
  EXPECT_EQ(frame->first_id, DeliveryId(1));
  ASSERT_EQ(frame->deliveries.size(), 3u);
  EXPECT_EQ(frame->deliveries[0].record->value, "v");

  session->OnFrame(Ack(1, 2));
  EXPECT_TRUE(Committed(2));
  EXPECT_TRUE(Eventually([&] { return stream_.reads() == 1; }));
  EXPECT_TRUE(stream_.Await<ports::CommittedFrame>());
  session->OnHalfClose();
  EXPECT_EQ(stream_.AwaitFinish(), absl::OkStatus());
}

TEST_F(SessionManagerTest, AnIdleSessionHearsOfARecordByItsWakeUpAlone) {
  auto session = Open();
  kafka_->Push(ports::PartitionsAssigned{{At(7)}});
  EXPECT_EQ(stream_.Await<ports::AssignedFrame>()->partitions[0], At(7));
  session->OnBroken();
  EXPECT_TRUE(stream_.AwaitFinish());
}

class SettableClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixMicros(micros_.load()); }
  void Advance(absl::Duration by) { micros_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<int64_t> micros_ = absl::ToUnixMicros(absl::Now());
};

// Where the clock never comes to the housekeeping, which polls anyway.
TEST_F(SessionManagerTest, AWindowThatOpensByTimeIsFilledAtOnce) {
  SettableClock clock;
  ManagerOptions manager_options;
  manager_options.clock = &clock;
  SessionManager manager(
      manager_options,
      [this](const config::SessionOptions&,
             std::function<void()> wake) -> absl::StatusOr<std::unique_ptr<ports::RecordSource>> {
        return std::make_unique<FakeSource>(kafka_, std::move(wake));
      });
  config::SessionOptions options;
  options.topics = {"orders"};
  options.group_id = "g";
  options.max_in_flight_records = 8;
  auto session = manager.Open(std::move(options), &stream_);
  ASSERT_TRUE(session.ok()) << session.status();
  kafka_->Push(ports::PartitionsAssigned{{At(0)}});
  kafka_->PushRecords(0, 8);
  ASSERT_TRUE(stream_.Await<ports::DeliveriesFrame>());
  (*session)->OnFrame(Ack(1, 1));
  EXPECT_TRUE(stream_.Await<ports::CommittedFrame>());
  kafka_->PushRecords(8, 1);
  absl::SleepFor(absl::Milliseconds(50));  // the polls that this makes have no room
  clock.Advance(absl::Milliseconds(10));
  const auto frame = stream_.Await<ports::DeliveriesFrame>(2);
  EXPECT_TRUE(frame && frame->deliveries[0].record->offset == Offset(8));
  (*session)->OnBroken();
  EXPECT_TRUE(stream_.AwaitFinish());
}

TEST_F(SessionManagerTest, AStopDrainsCommitsAndReportsTotals) {
  auto session = OpenWithThreeRecords();
  session->OnFrame(ports::StopFrame{"SIGTERM"});
  EXPECT_EQ(stream_.Await<ports::DrainingFrame>()->reason, ports::StopReason::kClient);
  session->OnFrame(Ack(1, 1));
  session->OnHalfClose();
  const auto stopped = stream_.Await<ports::StoppedFrame>();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->reason, ports::StopReason::kClient);
  EXPECT_TRUE(stopped->clean);
  EXPECT_EQ(stopped->unacked, 2u);
  EXPECT_EQ(stopped->totals.acked, 1u);
  EXPECT_THAT(stopped->committed, ::testing::ElementsAre(At(1)));
  EXPECT_EQ(stream_.AwaitFinish(), absl::OkStatus());
  EXPECT_TRUE(kafka_->closed());
}

TEST_F(SessionManagerTest, ABrokenStreamCommitsWhatArrivedBefore) {
  auto session = OpenWithThreeRecords();
  session->OnFrame(Ack(1, 3));
  session->OnBroken();
  ASSERT_TRUE(stream_.AwaitFinish());
  EXPECT_TRUE(Committed(3));
  ports::DaemonStatus status;
  EXPECT_TRUE(Eventually([&] {
    manager_.Describe(&(status = {}));
    return status.sessions_ended == 1;
  }));
  EXPECT_EQ(status.ended_totals.acked, 3u);
  EXPECT_THAT(status.sessions, IsEmpty());
  ASSERT_EQ(status.ended_groups.size(), 1u);
  EXPECT_EQ(status.ended_groups[0].group_id, "g");
  EXPECT_EQ(status.ended_groups[0].sessions, 1u);
  EXPECT_EQ(status.ended_groups[0].totals.acked, 3u);
  EXPECT_THAT(manager_.Status(), IsEmpty());
}

TEST_F(SessionManagerTest, TheStopPolicyNamesTheRecordAndCommitsWhatPrecedesIt) {
  config::SessionOptions options;
  options.failure_policy.mode = config::FailureMode::kStop;
  auto session = OpenWithThreeRecords(options);
  session->OnFrame(Ack(1, 1));
  session->OnFrame(NackOf(2));
  EXPECT_TRUE(stream_.Await<ports::DrainingFrame>());
  session->OnHalfClose();
  const auto stopped = stream_.Await<ports::StoppedFrame>();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->reason, ports::StopReason::kPolicy);
  EXPECT_EQ(stopped->message, "boom");
  EXPECT_EQ(stopped->failed_record->offset, Offset(1));
  EXPECT_THAT(stopped->committed, ::testing::ElementsAre(At(1)));
}

TEST_F(SessionManagerTest, ARetryComesAgainWithTheNextAttempt) {
  config::SessionOptions options;
  options.failure_policy.mode = config::FailureMode::kRetry;
  options.failure_policy.backoff = {absl::Milliseconds(1)};
  auto session = OpenWithThreeRecords(options);
  EXPECT_EQ(stream_.Await<ports::StartedFrame>()->max_attempts, 4u);
  session->OnFrame(NackOf(1));
  const auto again = stream_.Await<ports::DeliveriesFrame>(2);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->deliveries[0].record->offset, Offset(0));
  EXPECT_EQ(again->deliveries[0].attempt, 2u);
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, AnEndedSessionHoldsNoRecord) {
  config::SessionOptions options;
  options.failure_policy.mode = config::FailureMode::kRetry;  // keeps records for their next attempt
  auto session = Open(std::move(options));
  ports::Record one;
  one.offset = Offset(0);
  const auto record = std::make_shared<const ports::Record>(std::move(one));
  kafka_->Push(ports::PartitionsAssigned{{At(0)}});
  kafka_->Push(ports::RecordsPolled{kP0, {record}});
  EXPECT_TRUE(stream_.Await<ports::DeliveriesFrame>());
  session->OnBroken();
  EXPECT_TRUE(stream_.AwaitFinish());
  EXPECT_TRUE(Eventually([&] { return record.use_count() == 2; }));  // the test's and the stream's
}

TEST_F(SessionManagerTest, DrainAllEndsEverySessionAndRefusesNewOnes) {
  auto session = OpenWithThreeRecords();
  std::thread client([&] {
    EXPECT_EQ(stream_.Await<ports::DrainingFrame>()->reason, ports::StopReason::kShutdown);
    session->OnFrame(Ack(1, 3));
  });
  EXPECT_EQ(manager_.DrainAll(absl::Seconds(30)), 0u);
  client.join();
  EXPECT_TRUE(Committed(3));
  EXPECT_EQ(stream_.Await<ports::StoppedFrame>()->reason, ports::StopReason::kShutdown);
  FakeStream late;
  const auto refused = manager_.Open({}, &late);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, ErrorReason::kShuttingDown);
}

TEST_F(SessionManagerTest, AClientThatNeverAcksCostsTheDrainTimeoutAndNoMore) {
  config::SessionOptions options;
  options.drain_timeout = absl::Milliseconds(20);
  auto session = OpenWithThreeRecords(options);
  EXPECT_EQ(manager_.DrainAll(absl::Seconds(30)), 3u);
  const auto stopped = stream_.Await<ports::StoppedFrame>();
  EXPECT_FALSE(stopped->clean);
  EXPECT_EQ(stopped->unacked, 3u);
}

TEST_F(SessionManagerTest, ARevocationWaitsForTheJobThenCommitsAndLetsGo) {
  auto session = OpenWithThreeRecords();
  kafka_->Push(ports::PartitionsRevoked{{kP0}, false});
  const auto revoked = stream_.Await<ports::RevokedFrame>();
  ASSERT_TRUE(revoked);
  EXPECT_FALSE(kafka_->revoke_finished());
  session->OnFrame(Ack(1, 2));
  session->OnFrame(ports::ReleaseFrame{revoked->revocation_id});
  EXPECT_TRUE(Eventually([&] { return kafka_->revoke_finished(); }));
  EXPECT_TRUE(Committed(2));
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, ALateAckOfALostPartitionMovesNothing) {
  auto session = OpenWithThreeRecords();
  kafka_->Push(ports::PartitionsRevoked{{kP0}, true});
  EXPECT_TRUE(stream_.Await<ports::RevokedFrame>()->lost);
  session->OnFrame(Ack(1, 3));
  session->OnHalfClose();
  ASSERT_TRUE(stream_.AwaitFinish());
  EXPECT_THAT(kafka_->committed(), IsEmpty());
  EXPECT_EQ(stream_.Await<ports::StoppedFrame>()->totals.stale_acks, 3u);
}

TEST_F(SessionManagerTest, ACommitThatMayBeTriedAgainIs) {
  auto session = OpenWithThreeRecords();
  kafka_->FailCommits(ErrorBuilder(ErrorReason::kKafka).Build("loading"), /*retriable=*/true, 2);
  session->OnFrame(Ack(1, 3));
  EXPECT_TRUE(Committed(3));
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, TheLastCommitIsTriedAgainToo) {
  auto session = OpenWithThreeRecords();
  kafka_->FailCommits(ErrorBuilder(ErrorReason::kKafka).Build("moving"), /*retriable=*/true, 4);
  session->OnFrame(Ack(1, 3));
  session->OnHalfClose();
  ASSERT_TRUE(stream_.AwaitFinish());
  EXPECT_TRUE(Committed(3));
  EXPECT_TRUE(stream_.Await<ports::StoppedFrame>()->clean);
}

TEST_F(SessionManagerTest, ARevocationsCommitIsTriedAgainToo) {
  auto session = OpenWithThreeRecords();
  kafka_->FailCommits(ErrorBuilder(ErrorReason::kKafka).Build("moving"), /*retriable=*/true, 4);
  kafka_->Push(ports::PartitionsRevoked{{kP0}, false});
  ASSERT_TRUE(stream_.Await<ports::RevokedFrame>());
  session->OnFrame(Ack(1, 3));
  EXPECT_TRUE(Committed(3));
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, ACommitThatIsRefusedForGoodEndsTheSession) {
  auto session = OpenWithThreeRecords();
  kafka_->FailCommits(ErrorBuilder(ErrorReason::kAuthorizationFailed).Build("group g: denied"), false, 5);
  session->OnFrame(Ack(1, 3));
  const auto status = stream_.AwaitFinish();
  ASSERT_TRUE(status);
  EXPECT_EQ(GetErrorInfo(*status).reason, ErrorReason::kAuthorizationFailed);
  EXPECT_EQ(stream_.Await<ports::StoppedFrame>()->reason, ports::StopReason::kError);
}

TEST_F(SessionManagerTest, TroubleIsANoticeAndFatalTroubleTheEnd) {
  auto session = Open();
  kafka_->Push(ports::SourceTrouble{ErrorBuilder(ErrorReason::kBrokerUnreachable).Build("down"), false});
  EXPECT_EQ(stream_.Await<ports::NoticeFrame>()->reason, ErrorReason::kBrokerUnreachable);
  kafka_->Push(ports::SourceTrouble{ErrorBuilder(ErrorReason::kFenced).Build("fenced"), true});
  EXPECT_EQ(GetErrorInfo(*stream_.AwaitFinish()).reason, ErrorReason::kFenced);
}

TEST_F(SessionManagerTest, AWrongPasswordEndsASessionThatHasNeverJoined) {
  auto session = Open();
  kafka_->Push(
      ports::SourceTrouble{ErrorBuilder(ErrorReason::kAuthenticationFailed).Build("bad login"), false});
  EXPECT_EQ(stream_.AwaitFinish()->code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(SessionManagerTest, APositionBehindControlRecordsIsCommitted) {
  auto session = OpenWithThreeRecords();
  session->OnFrame(Ack(1, 3));
  EXPECT_TRUE(Committed(3));
  kafka_->SetProgress({{kP0, Offset(5), Offset(5)}});
  EXPECT_TRUE(Committed(5));
  EXPECT_TRUE(Eventually([&] {
    const auto status = manager_.Status();
    return status.size() == 1 && status[0].partitions.size() == 1 && status[0].partitions[0].lag == 0;
  }));
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, TheLagIsKnownBeforeTheFirstAck) {
  auto session = OpenWithThreeRecords();
  kafka_->SetProgress({{kP0, Offset(3), Offset(10)}});
  EXPECT_TRUE(Eventually([&] {
    const auto status = manager_.Status();
    return status.size() == 1 && status[0].partitions.size() == 1 && status[0].partitions[0].lag == 10;
  })) << "a job that hangs at its first record is behind by all that there is";
  EXPECT_EQ(manager_.Status().at(0).partitions.at(0).committed, kNoOffset);
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST_F(SessionManagerTest, WithLatestThePlaceWhereReadingBeginsIsCommittedFirst) {
  config::SessionOptions options;
  options.auto_offset_reset = config::OffsetReset::kLatest;
  auto session = Open(options);
  kafka_->Push(ports::PartitionsAssigned{{At(42)}});
  EXPECT_TRUE(Committed(42));
  session->OnBroken();
  stream_.AwaitFinish();
}

TEST(SessionHealthTest, TellsServingDrainingAndLastTheEnd) {
  std::vector<std::pair<std::string, SessionHealth>> told;  // by the session's thread, one after the other
  ManagerOptions options;
  options.on_health = [&told](const std::string& id, SessionHealth health) { told.emplace_back(id, health); };
  auto kafka = std::make_shared<FakeKafka>();
  FakeStream stream;
  {
    SessionManager manager(
        options,
        [kafka](const config::SessionOptions&,
                std::function<void()> wake) -> absl::StatusOr<std::unique_ptr<ports::RecordSource>> {
          return std::make_unique<FakeSource>(kafka, std::move(wake));
        });
    auto session = manager.Open({}, &stream);
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(stream.Await<ports::StartedFrame>());
    (*session)->OnFrame(ports::StopFrame{"enough"});
    (*session)->OnHalfClose();
    stream.AwaitFinish();
  }
  ASSERT_GE(told.size(), 3u);
  EXPECT_EQ(told.front(), std::make_pair(std::string("s1"), SessionHealth::kServing));
  for (size_t i = 1; i + 1 < told.size(); ++i) EXPECT_EQ(told[i].second, SessionHealth::kDraining);
  EXPECT_EQ(told.back(), std::make_pair(std::string("s1"), SessionHealth::kEnded));
}

TEST(SessionLimitTest, TheLimitIsRefusedByName) {
  ManagerOptions options;
  options.limits.max_sessions = 1;
  auto kafka = std::make_shared<FakeKafka>();
  FakeStream first;
  FakeStream second;
  SessionManager manager(
      options,
      [kafka](const config::SessionOptions&,
              std::function<void()> wake) -> absl::StatusOr<std::unique_ptr<ports::RecordSource>> {
        return std::make_unique<FakeSource>(kafka, std::move(wake));
      });
  auto session = manager.Open({}, &first);
  ASSERT_TRUE(session.ok());
  const auto refused = manager.Open({}, &second);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, ErrorReason::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("limits.max_sessions"));
  (*session)->OnBroken();
  first.AwaitFinish();
}

}  // namespace
}  // namespace datapy_kafka::engine
