#include "kafka/fetch_nudge.h"

#include <gtest/gtest.h>

#include <memory>

namespace datapy_kafka::kafka {
namespace {

// Whether the broker is to be woken after so much was read.
bool Asks(QueueWatch& watch, size_t records, size_t bytes, bool at_end = false) {
  watch.Read(records, bytes);
  return watch.Asks([at_end] { return at_end; });
}

TEST(QueueWatchTest, EachHalfOfAQueueOfRecordsIsSeen) {
  QueueWatch watch({10'000, 4 << 20});
  EXPECT_FALSE(Asks(watch, 5'000, 5'000));
  EXPECT_TRUE(Asks(watch, 1, 1));
  EXPECT_FALSE(Asks(watch, 5'000, 5'000));
  EXPECT_TRUE(Asks(watch, 5'000, 5'000));
}

// At the log's end the broker waits for records: a request would wait with it.
TEST(QueueWatchTest, ALogThatIsReadToItsEndIsLeftAlone) {
  QueueWatch watch({10'000, 4 << 20});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(Asks(watch, 1'000, 1'000, true)) << i;
}

TEST(QueueWatchTest, AFullQueueThatIsReadToTheLogsEndAtOnceIsSeen) {
  QueueWatch watch({10'000, 4 << 20});
  EXPECT_FALSE(Asks(watch, 4'000, 4'000, true));
  EXPECT_TRUE(Asks(watch, 1'000, 4 << 20, true));
  EXPECT_TRUE(Asks(watch, 10'000, 10'000, true));
}

TEST(QueueWatchTest, AQueueOfAFewLargeRecordsThatIsReadAtOnceIsSeen) {
  QueueWatch watch({10'000, 4 << 20});
  EXPECT_TRUE(Asks(watch, 4, 4 << 20));
  EXPECT_TRUE(Asks(watch, 3, 3 << 20));
  EXPECT_FALSE(Asks(watch, 2, 2 << 20));
}

// A queue is full at its limit, wherever the counting stands: before it is read
// to its end half a queue has been read since.
TEST(QueueWatchTest, AFullQueueIsSeenBeforeItsEndWhateverWasReadBefore) {
  for (size_t before = 0; before <= 100; ++before) {
    QueueWatch watch({100, 1 << 20});
    for (size_t i = 0; i < before; ++i) (void)Asks(watch, 1, 1);
    bool seen = false;
    for (size_t i = 0; i < 100; ++i) seen |= Asks(watch, 1, 1, i + 1 == 100);
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
