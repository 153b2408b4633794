// Whether an address can be listened at, with the reason when it cannot: the
// HTTP library only says that something went wrong.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace datapy_kafka::telemetry {

// `address` is host:port. kInvalidArgument: malformed, an unknown host, an
// address of another machine, or IPv6, which the library does not take.
// kAlreadyExists: taken. kPermissionDenied: a port that only root may take.
absl::Status CheckMetricsAddress(const std::string& address);

}  // namespace datapy_kafka::telemetry
