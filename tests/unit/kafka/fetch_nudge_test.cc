#include "kafka/fetch_nudge.h"

#include <gtest/gtest.h>

namespace datapy_kafka::kafka {
namespace {

TEST(QueueWatchTest, AFullQueueReadToAHalfIsDrainedOnce) {
  QueueWatch watch;
  EXPECT_FALSE(watch.Drained(10'000));
  EXPECT_FALSE(watch.Drained(5001));
  EXPECT_TRUE(watch.Drained(5000));
  EXPECT_FALSE(watch.Drained(4999));
  EXPECT_TRUE(watch.Drained(2000));
}

TEST(QueueWatchTest, AQueueThatFillsAgainIsWatchedFromItsNewLength) {
  QueueWatch watch;
  EXPECT_FALSE(watch.Drained(1000));
  EXPECT_TRUE(watch.Drained(0));
  EXPECT_FALSE(watch.Drained(4000));
  EXPECT_FALSE(watch.Drained(2001));
  EXPECT_TRUE(watch.Drained(1999));
}

TEST(QueueWatchTest, AShortQueueStopsNoFetching) {
  QueueWatch watch;
  EXPECT_FALSE(watch.Drained(49));
  EXPECT_FALSE(watch.Drained(0));
}

TEST(FetchNudgeTest, OneThatWasNeverAskedEndsAtOnce) { const FetchNudge nudge(nullptr); }

}  // namespace
}  // namespace datapy_kafka::kafka
