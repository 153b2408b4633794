// An absl::Status as the gRPC status that ends a call: code, message, and
// google.rpc.ErrorInfo in the grpc-status-details-bin trailer.
//
// Pure, any thread.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace datapy_kafka::rpc {

// Text is made valid UTF-8 and cut, so that the trailers stay below the 8 KiB
// that gRPC clients take.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace datapy_kafka::rpc
