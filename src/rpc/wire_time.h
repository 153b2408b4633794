// Durations and times between Abseil's types and protobuf's.
//
// Pure, any thread.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <optional>

#include "absl/time/time.h"

namespace datapy_kafka::rpc {

// Infinite durations and times are the largest that protobuf knows.
void FillDuration(absl::Duration duration, google::protobuf::Duration* out);
void FillTimestamp(absl::Time time, google::protobuf::Timestamp* out);

// nullopt when it breaks protobuf's rules: seconds or nanoseconds out of range,
// or of different signs.
std::optional<absl::Duration> ReadDuration(const google::protobuf::Duration& duration);

}  // namespace datapy_kafka::rpc
