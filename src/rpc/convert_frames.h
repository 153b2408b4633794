// Frames of the client in the daemon's own types.
//
// Pure, any thread.
#pragma once

#include "absl/status/statusor.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/v1/sidecar.pb.h"

namespace datapy_kafka::rpc {

// Ranges and nacks of one ack frame, each.
inline constexpr int kMaxAckEntries = 65'536;
inline constexpr size_t kMaxNackText = 4096;

// Reads any frame but `start`. Errors: kProtocolViolation for a second start
// and an empty frame, kInvalidArgument for a range that ends before it begins,
// kResourceExhausted for too many entries.
absl::StatusOr<ports::ClientFrame> ConvertClientFrame(const v1::ConsumeRequest& message);

}  // namespace datapy_kafka::rpc
