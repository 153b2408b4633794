// UTF-8, durations and status details: the small conversions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "rpc/status_details.h"
#include "rpc/utf8.h"
#include "rpc/wire_time.h"

namespace datapy_kafka::rpc {
namespace {

TEST(Utf8Test, TakesWhatIsWellFormed) {
  for (const char* text :
       {"", "plain ascii that is longer than a word", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
        "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
        "12345678\xC3\xA9"
        "12345678\xE2\x82\xAC"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << testing::PrintToString(std::string(text));
  }
  EXPECT_TRUE(IsValidUtf8(absl::string_view("\0", 1)));
}

TEST(Utf8Test, RefusesWhatIsNot) {
  for (const char* text : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF",
                           "\xE2\x82", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "12345678\xFF", "1234567\xE2\x82"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(std::string(text));
  }
}

TEST(Utf8Test, FindsABadByteWhereverItStands) {
  for (size_t size = 1; size < 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      EXPECT_TRUE(IsValidUtf8(text));
      text[at] = '\x80';
      EXPECT_FALSE(IsValidUtf8(text)) << at << " of " << size;
    }
  }
}

TEST(Utf8Test, MakesTextValidAndShort) {
  EXPECT_EQ(ToValidUtf8("a\xFFz", 10), "a?z");
  EXPECT_EQ(ToValidUtf8("a\xC3\xA9", 2), "a");
  EXPECT_EQ(ToValidUtf8("a\xC3\xA9", 3), "a\xC3\xA9");
}

TEST(WireTimeTest, DurationsComeBackAsTheyWent) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Milliseconds(1500), absl::Milliseconds(-1500)}) {
    google::protobuf::Duration wire;
    FillDuration(duration, &wire);
    EXPECT_EQ(ReadDuration(wire), duration);
  }
  google::protobuf::Duration wire;
  FillDuration(absl::InfiniteDuration(), &wire);
  EXPECT_EQ(wire.seconds(), 315'576'000'000);
}

TEST(WireTimeTest, RefusesWhatProtobufDoes) {
  google::protobuf::Duration wire;
  wire.set_seconds(1);
  wire.set_nanos(-1);
  EXPECT_EQ(ReadDuration(wire), std::nullopt);
  wire.set_nanos(1'000'000'000);
  EXPECT_EQ(ReadDuration(wire), std::nullopt);
  wire.set_nanos(0);
  wire.set_seconds(INT64_MAX);
  EXPECT_EQ(ReadDuration(wire), std::nullopt);
}

TEST(WireTimeTest, TimesOutsideProtobufsRangeAreCut) {
  google::protobuf::Timestamp wire;
  FillTimestamp(absl::InfinitePast(), &wire);
  EXPECT_EQ(wire.seconds(), -62'135'596'800);
  FillTimestamp(absl::FromUnixMillis(-1500), &wire);
  EXPECT_EQ(wire.seconds(), -2);
  EXPECT_EQ(wire.nanos(), 500'000'000);
}

TEST(StatusDetailsTest, CarriesReasonAndPlace) {
  const grpc::Status status = ToGrpcStatus(
      ErrorBuilder(ErrorReason::kAuthorizationFailed).At({"orders", 3}, Offset(7)).Build("denied"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status.error_message(), "denied");
  const v1::RpcErrorInfo info = ErrorInfoOf(status);
  EXPECT_EQ(info.reason(), "AUTHORIZATION_FAILED");
  EXPECT_EQ(info.metadata().at("topic"), "orders");
  EXPECT_EQ(info.metadata().at("partition"), "3");
  EXPECT_EQ(info.metadata().at("offset"), "7");
}

TEST(StatusDetailsTest, StaysSmallAndValid) {
  const grpc::Status status = ToGrpcStatus(absl::InternalError(std::string(100'000, '\xFF')));
  EXPECT_LE(status.error_message().size() + status.error_details().size(), 4000u);
  EXPECT_TRUE(IsValidUtf8(status.error_message()));
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INTERNAL");
}

}  // namespace
}  // namespace datapy_kafka::rpc
