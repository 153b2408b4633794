#include "datapy_kafka/base/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace datapy_kafka {
namespace {

TEST(MailboxTest, TakesEverythingInOrder) {
  Mailbox<int> mailbox(8);
  ASSERT_TRUE(mailbox.Post(1));
  ASSERT_TRUE(mailbox.Post(2));
  EXPECT_EQ(mailbox.Take(absl::ZeroDuration()), (std::vector<int>{1, 2}));
  EXPECT_TRUE(mailbox.Take(absl::ZeroDuration()).empty());
}

TEST(MailboxTest, RefusesWhatDoesNotFit) {
  Mailbox<int> mailbox(1);
  EXPECT_TRUE(mailbox.Post(1));
  EXPECT_FALSE(mailbox.Post(2));
  EXPECT_EQ(mailbox.Take(absl::ZeroDuration()).size(), 1u);
  EXPECT_TRUE(mailbox.Post(3));
}

TEST(MailboxTest, ASleepingReaderWakesForAnItem) {
  Mailbox<int> mailbox(1);
  std::thread writer([&] { ASSERT_TRUE(mailbox.Post(7)); });
  EXPECT_EQ(mailbox.Take(absl::InfiniteDuration()), std::vector<int>{7});
  writer.join();
}

}  // namespace
}  // namespace datapy_kafka
