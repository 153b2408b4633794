#include "datapy_kafka/engine/sink_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::engine {
namespace {

// What a test sees of one sink, also after the pool has closed it.
struct SinkState {
  bool alive = true;
  uint64_t queued = 0;
  uint64_t untold_failures = 0;
  bool flush_works = true;
};

class FakeSink final : public ports::RecordSink {
 public:
  explicit FakeSink(std::shared_ptr<SinkState> state) : state_(std::move(state)) {}
  ~FakeSink() override { state_->alive = false; }
  void Produce(ports::ProduceBatch, Done done) override { done({}); }
  bool Flush(absl::Duration) override { return state_->flush_works; }

 private:
  const std::shared_ptr<SinkState> state_;
};

class SinkPoolTest : public ::testing::Test {
 protected:
  static config::ConnectionOptions To(const std::string& servers) {
    config::ConnectionOptions connection;
    connection.bootstrap_servers = servers;
    return connection;
  }

  std::vector<std::shared_ptr<SinkState>> made_;
  SinkPool pool_{[this](const config::ConnectionOptions& connection,
                        const config::Properties&) -> absl::StatusOr<PooledSink> {
                   if (connection.bootstrap_servers == "bad:1") {
                     return ErrorBuilder(ErrorReason::kPropertyRefused).Build("no");
                   }
                   auto state = std::make_shared<SinkState>();
                   made_.push_back(state);
                   return PooledSink{std::make_shared<FakeSink>(state), [state, connection] {
                                       ports::ProducerStatus status;
                                       status.connection = connection.DisplayName();
                                       status.delivered = 7;
                                       status.queued_records = state->queued;
                                       status.untold_failures = state->untold_failures;
                                       return status;
                                     }};
                 },
                 /*max_sinks=*/2};
};

TEST_F(SinkPoolTest, EqualLoginsShareAProducer) {
  const auto a = pool_.Get(To("a:1"), {});
  const auto b = pool_.Get(To("a:1"), {});
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(made_.size(), 1u);
}

TEST_F(SinkPoolTest, OtherPropertiesAreAnotherProducer) {
  const auto a = pool_.Get(To("a:1"), {});
  const auto b = pool_.Get(To("a:1"), {{"linger.ms", "9"}});
  EXPECT_NE(*a, *b);
}

TEST_F(SinkPoolTest, TheFactorysErrorIsTheAnswerAndNothingIsKept) {
  EXPECT_EQ(GetErrorInfo(pool_.Get(To("bad:1"), {}).status()).reason, ErrorReason::kPropertyRefused);
  EXPECT_TRUE(pool_.Status().empty());
}

TEST_F(SinkPoolTest, WhatAClosedProducerCountedIsKept) {
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  ASSERT_TRUE(pool_.Get(To("b:1"), {}).ok());
  ASSERT_TRUE(pool_.Get(To("c:1"), {}).ok());  // a gives way
  pool_.Discard(*pool_.Get(To("c:1"), {}));
  pool_.Discard(*pool_.Get(To("a:1"), {}));
  ports::DaemonStatus status;
  pool_.Describe(&status);
  ASSERT_EQ(status.producers.size(), 1u);
  EXPECT_EQ(status.producers[0].connection, "b:1");
  ASSERT_EQ(status.closed_producers.size(), 2u);
  EXPECT_EQ(status.closed_producers[0].connection, "a:1");
  EXPECT_EQ(status.closed_producers[0].delivered, 14u) << "both of a's";
  EXPECT_EQ(status.closed_producers[1].connection, "c:1");
  EXPECT_EQ(status.closed_producers[1].queued_records, 0u);
}

TEST_F(SinkPoolTest, TheNamesOfClosedProducersAreBounded) {
  constexpr size_t kMore = ports::kMaxEndedNames + 50;
  for (size_t i = 0; i < kMore; ++i) {
    const auto sink = pool_.Get(To(absl::StrCat("host", i, ":1")), {});
    ASSERT_TRUE(sink.ok());
    pool_.Discard(*sink);
  }
  ports::DaemonStatus status;
  pool_.Describe(&status);
  EXPECT_EQ(status.closed_producers.size(), ports::kMaxEndedNames + 1);
  uint64_t delivered = 0;
  for (const ports::ProducerStatus& sum : status.closed_producers) delivered += sum.delivered;
  EXPECT_EQ(delivered, 7 * kMore);
}

TEST_F(SinkPoolTest, AtTheLimitAnIdleOneGivesWay) {
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  ASSERT_TRUE(pool_.Get(To("b:1"), {}).ok());
  made_[0]->queued = 5;
  ASSERT_TRUE(pool_.Get(To("c:1"), {}).ok());
  EXPECT_TRUE(made_[0]->alive) << "it has records to send";
  EXPECT_FALSE(made_[1]->alive);
}

TEST_F(SinkPoolTest, AtTheLimitOneWithUntoldFailuresStaysIfItCan) {
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  ASSERT_TRUE(pool_.Get(To("b:1"), {}).ok());
  made_[0]->untold_failures = 3;
  ASSERT_TRUE(pool_.Get(To("c:1"), {}).ok());
  EXPECT_TRUE(made_[0]->alive) << "its job has not been told of three records";
  EXPECT_FALSE(made_[1]->alive);
  made_[2]->queued = 1;
  ASSERT_TRUE(pool_.Get(To("d:1"), {}).ok());
  EXPECT_FALSE(made_[0]->alive) << "it holds no place for ever";
}

TEST_F(SinkPoolTest, WhenAllAreBusyTheLimitIsNamed) {
  const auto a = pool_.Get(To("a:1"), {});
  const auto b = pool_.Get(To("b:1"), {});
  const auto refused = pool_.Get(To("c:1"), {});
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, ErrorReason::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("limits.max_producers"));
}

TEST_F(SinkPoolTest, ADiscardedProducerIsMadeAgain) {
  { pool_.Discard(*pool_.Get(To("a:1"), {})); }
  EXPECT_FALSE(made_[0]->alive);
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  EXPECT_EQ(made_.size(), 2u);
}

TEST_F(SinkPoolTest, ClosingTellsWhatIsLeftAndRefusesMore) {
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  made_[0]->queued = 7;
  made_[0]->flush_works = false;
  EXPECT_EQ(pool_.FlushAndClose(absl::Seconds(1)), 7u);
  EXPECT_FALSE(made_[0]->alive);
  EXPECT_EQ(GetErrorInfo(pool_.Get(To("a:1"), {}).status()).reason, ErrorReason::kShuttingDown);
}

}  // namespace
}  // namespace datapy_kafka::engine
