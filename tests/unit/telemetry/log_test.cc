// How a line of the log looks, and which flags are taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/spdlog.h>

#include "absl/time/time.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/telemetry/logging.h"
#include "telemetry/log_formatter.h"

namespace datapy_kafka::telemetry {
namespace {

using ::testing::HasSubstr;

std::string Line(LogFormat format, absl::string_view text,
                 spdlog::level::level_enum level = spdlog::level::info) {
  const absl::Time time = absl::FromUnixMillis(1769854530123);
  const spdlog::details::log_msg message(spdlog::log_clock::time_point(absl::ToChronoTime(time)), {}, "ignored",
                                         level, spdlog::string_view_t(text.data(), text.size()));
  spdlog::memory_buf_t out;
  MakeFormatter(format)->clone()->format(message, out);
  return std::string(out.data(), out.size());
}

std::string Tab(absl::string_view text) {
  const std::string line = Line(LogFormat::kTab, text);
  const std::string prefix = "2026-01-31 10:15:30.123\tINFO\tkafka_sidecar\t";
  EXPECT_EQ(line.substr(0, prefix.size()), prefix);
  EXPECT_EQ(line.back(), '\n');
  return line.substr(prefix.size(), line.size() - prefix.size() - 1);
}

std::string Json(absl::string_view text) {
  const std::string line = Line(LogFormat::kJson, text);
  const std::string prefix =
      R"({"ts":"2026-01-31T10:15:30.123Z","level":"info","logger":"kafka_sidecar","message":")";
  EXPECT_EQ(line.substr(0, prefix.size()), prefix);
  EXPECT_EQ(line.substr(line.size() - 3), "\"}\n");
  return line.substr(prefix.size(), line.size() - prefix.size() - 3);
}

TEST(LogLineTest, TabHasTheColumnsOfDataPy) {
  EXPECT_EQ(Line(LogFormat::kTab, "ready"), "2026-01-31 10:15:30.123\tINFO\tkafka_sidecar\tready\n");
}

TEST(LogLineTest, JsonIsOneObjectALine) {
  EXPECT_EQ(Line(LogFormat::kJson, "ready"),
            "{\"ts\":\"2026-01-31T10:15:30.123Z\",\"level\":\"info\",\"logger\":\"kafka_sidecar\","
            "\"message\":\"ready\"}\n");
}

TEST(LogLineTest, Levels) {
  const struct {
    spdlog::level::level_enum level;
    const char* tab;
    const char* json;
  } table[] = {{spdlog::level::debug, "\tDEBUG\t", "\"debug\""},
               {spdlog::level::trace, "\tDEBUG\t", "\"debug\""},
               {spdlog::level::warn, "\tWARNING\t", "\"warning\""},
               {spdlog::level::err, "\tERROR\t", "\"error\""},
               {spdlog::level::critical, "\tCRITICAL\t", "\"critical\""}};
  for (const auto& row : table) {
    EXPECT_THAT(Line(LogFormat::kTab, "x", row.level), HasSubstr(row.tab));
    EXPECT_THAT(Line(LogFormat::kJson, "x", row.level), HasSubstr(row.json));
  }
}

TEST(LogLineTest, AMessageCannotBeginALineOrAColumn) {
  EXPECT_EQ(Tab("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Json("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(Tab(absl::string_view("\0\x1b[31m\x7f", 7)), "\\u0000\\u001b[31m\\u007f");
  EXPECT_EQ(Tab("\xc2\x9b"), "\\u009b") << "the eight-bit escape sequence";
}

TEST(LogLineTest, AMessageCannotEndAJsonString) {
  EXPECT_EQ(Json(R"(","level":"x\)"), R"(\",\"level\":\"x\\)");
  EXPECT_EQ(Tab(R"("x\)"), R"("x\)") << "tab needs no more than that";
}

TEST(LogLineTest, WhatIsNoUtf8IsReplacedByteByByte) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(Json("ä€😀"), "ä€😀");
  EXPECT_EQ(Json("\xff"), bad);
  EXPECT_EQ(Json("a\x80z"), "a" + bad + "z");
  EXPECT_EQ(Json("\xc3"), bad) << "cut";
  EXPECT_EQ(Json("\xc3\""), bad + "\\\"") << "a cut character does not hide the quote";
  EXPECT_EQ(Json("\xc0\xaf"), bad + bad) << "overlong";
  EXPECT_EQ(Json("\xe0\x80\x80"), bad + bad + bad) << "overlong";
  EXPECT_EQ(Json("\xed\xa0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(Json("\xf4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(Json("\xf5\x80\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(Tab("\xff"), bad);
}

TEST(SetUpLoggingTest, NamesTheFlagAndWhatItTakes) {
  const absl::Status level = SetUpLogging("loud", "tab");
  EXPECT_EQ(GetErrorInfo(level).reason, ErrorReason::kInvalidArgument);
  EXPECT_EQ(level.message(), "--log_level=loud: it takes debug, info, warning, error");
  EXPECT_EQ(SetUpLogging("info", "xml").message(), "--log_format=xml: it takes tab, json");
}

TEST(SetUpLoggingTest, LogsToStderrFromItsLevelOn) {
  ASSERT_EQ(SetUpLogging("warning", "json"), absl::OkStatus());
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  spdlog::info("quiet");
  spdlog::warn("loud");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  const std::string logged = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(logged, ::testing::EndsWith(
                          "\"level\":\"warning\",\"logger\":\"kafka_sidecar\",\"message\":\"loud\"}\n"));
  EXPECT_THAT(logged, ::testing::Not(HasSubstr("quiet")));
}

}  // namespace
}  // namespace datapy_kafka::telemetry
