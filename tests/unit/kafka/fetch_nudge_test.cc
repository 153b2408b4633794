#include "kafka/fetch_nudge.h"

#include <gtest/gtest.h>

#include <memory>

namespace datapy_kafka::kafka {
namespace {

TEST(QueueWatchTest, EachHalfOfAQueueOfRecordsIsSeen) {
  QueueWatch watch({10'000, 4 << 20});
  EXPECT_FALSE(watch.Read(5'000, 5'000));
  EXPECT_TRUE(watch.Read(1, 1));
  EXPECT_FALSE(watch.Read(5'000, 5'000));
  EXPECT_TRUE(watch.Read(5'000, 5'000));
}

TEST(QueueWatchTest, AQueueOfAFewLargeRecordsThatIsReadAtOnceIsSeen) {
  QueueWatch watch({10'000, 4 << 20});
  EXPECT_TRUE(watch.Read(4, 4 << 20));
  EXPECT_TRUE(watch.Read(3, 3 << 20));
  EXPECT_FALSE(watch.Read(2, 2 << 20));
}

// A queue is full at its limit, wherever the counting stands: before it is read
// to its end half a queue has been read since.
TEST(QueueWatchTest, AFullQueueIsSeenBeforeItsEndWhateverWasReadBefore) {
  for (size_t before = 0; before <= 100; ++before) {
    QueueWatch watch({100, 1 << 20});
    for (size_t i = 0; i < before; ++i) (void)watch.Read(1, 1);
    bool seen = false;
    for (size_t i = 0; i < 100; ++i) seen |= watch.Read(1, 1);
    EXPECT_TRUE(seen) << "after " << before;
  }
}

TEST(QueueWatchTest, TheLimitsAreTheConfiguredOnes) {
  const std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client(
      [] {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        char error[256];
        rd_kafka_conf_set(conf, "queued.min.messages", "77", error, sizeof error);
        rd_kafka_conf_set(conf, "queued.max.messages.kbytes", "9", error, sizeof error);
        return rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
      }(),
      &rd_kafka_destroy);
  ASSERT_NE(client, nullptr);
  const QueueWatch::Limits limits = QueueLimits(client.get());
  EXPECT_EQ(limits.records, 77u);
  EXPECT_EQ(limits.bytes, 9u * 1024);
}

TEST(FetchNudgeTest, OneThatWasNeverAskedEndsAtOnce) { const FetchNudge nudge(nullptr); }

}  // namespace
}  // namespace datapy_kafka::kafka
