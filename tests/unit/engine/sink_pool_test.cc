#include "datapy_kafka/engine/sink_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapy_kafka/base/error.h"

namespace datapy_kafka::engine {
namespace {

// What a test sees of one sink, also after the pool has closed it.
struct SinkState {
  bool alive = true;
  uint64_t queued = 0;
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
                   return PooledSink{std::make_shared<FakeSink>(state), [state] {
                                       ports::ProducerStatus status;
                                       status.queued_records = state->queued;
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

TEST_F(SinkPoolTest, AtTheLimitAnIdleOneGivesWay) {
  ASSERT_TRUE(pool_.Get(To("a:1"), {}).ok());
  ASSERT_TRUE(pool_.Get(To("b:1"), {}).ok());
  made_[0]->queued = 5;
  ASSERT_TRUE(pool_.Get(To("c:1"), {}).ok());
  EXPECT_TRUE(made_[0]->alive) << "it has records to send";
  EXPECT_FALSE(made_[1]->alive);
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
