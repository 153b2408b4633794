#include "wire_time.h"

#include <algorithm>
#include <cstdint>

namespace datapy_kafka::rpc {
namespace {

constexpr int64_t kMaxSeconds = 315'576'000'000;   // 10,000 years
constexpr int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01
constexpr int64_t kLastSecond = 253'402'300'799;   // 9999-12-31
constexpr int32_t kNanos = 1'000'000'000;

}  // namespace

void FillDuration(absl::Duration duration, google::protobuf::Duration* out) {
  duration = std::clamp(duration, absl::Seconds(-kMaxSeconds), absl::Seconds(kMaxSeconds));
  absl::Duration rest;
  out->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

void FillTimestamp(absl::Time time, google::protobuf::Timestamp* out) {
  time = std::clamp(time, absl::FromUnixSeconds(kFirstSecond), absl::FromUnixSeconds(kLastSecond));
  const int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

std::optional<absl::Duration> ReadDuration(const google::protobuf::Duration& duration) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  if (seconds < -kMaxSeconds || seconds > kMaxSeconds || nanos <= -kNanos || nanos >= kNanos)
    return std::nullopt;
  if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) return std::nullopt;
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

}  // namespace datapy_kafka::rpc
