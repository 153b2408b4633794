#include "datapy_kafka/engine/task_runner.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace datapy_kafka::engine {
namespace {

TEST(TaskRunnerTest, RefusesMoreThanItsCapacityAndWaitsForWhatRuns) {
  absl::Notification release;
  std::atomic<int> ran{0};
  {
    TaskRunner runner(1);
    absl::AnyInvocable<void()> first = [&] {
      release.WaitForNotification();
      ++ran;
    };
    absl::AnyInvocable<void()> second = [&] { ++ran; };
    ASSERT_TRUE(runner.Run(first));
    EXPECT_FALSE(runner.Run(second));
    EXPECT_TRUE(second) << "a refused task is still the caller's";
    release.Notify();
  }
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace datapy_kafka::engine
