#include "engine/session_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>

namespace datapy_kafka::engine {
namespace {

using testing::HasSubstr;

class SessionLogTest : public testing::Test {
 protected:
  SessionLogTest() {
    auto logger =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::move(logger));
  }
  ~SessionLogTest() override { spdlog::set_default_logger(before_); }

  void Fail(int partition, int64_t offset) {
    log_.RecordFailed({{"orders", partition},
                       Offset(offset),
                       1,
                       "no amount",
                       delivery::FailureOutcome::kSkipped,
                       absl::ZeroDuration()},
                      now_);
  }
  // What was written since the last call.
  std::string Written() {
    std::string text = text_.str();
    text_.str("");
    return text;
  }

  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
  SessionLog log_{"s1"};
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(SessionLogTest, EachFailedRecordIsNamedOrIsInACount) {
  for (int64_t offset = 0; offset < 30; ++offset) Fail(static_cast<int>(offset % 2), offset);
  std::string text = Written();
  for (int64_t offset = 0; offset < 10; ++offset) {
    EXPECT_THAT(text, HasSubstr("offset " + std::to_string(offset) + " attempt 1 failed: no amount; skipped"));
  }
  EXPECT_THAT(text, Not(HasSubstr("offset 10 ")));
  log_.KeepHouse(now_ + absl::Milliseconds(999));
  EXPECT_EQ(Written(), "");
  now_ += absl::Seconds(1);
  log_.KeepHouse(now_);
  EXPECT_EQ(Written(),
            "error session s1: 20 more records failed: 10 of orders[0] at offsets 10 to 28, 10 of orders[1] at "
            "offsets 11 to 29\n");
  log_.KeepHouse(now_ + absl::Seconds(5));
  EXPECT_EQ(Written(), "");
}

TEST_F(SessionLogTest, WhatWasLeftOutIsToldBeforeTheNextAndAtTheEnd) {
  for (int64_t offset = 0; offset < 11; ++offset) Fail(0, offset);
  (void)Written();
  now_ += absl::Seconds(1);
  for (int64_t offset = 11; offset < 22; ++offset) Fail(0, offset);
  EXPECT_THAT(Written(), testing::StartsWith(
                             "error session s1: 1 more records failed: 1 of orders[0] at offsets 10 to 10\n"
                             "error session s1: record orders[0] offset 11 "));
  log_.Ended({}, {}, absl::Seconds(1), true);
  EXPECT_THAT(Written(), testing::StartsWith(
                             "error session s1: 1 more records failed: 1 of orders[0] at offsets 21 to 21\n"));
}

}  // namespace
}  // namespace datapy_kafka::engine
