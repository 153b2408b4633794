// Listening TCP sockets for loopback addresses. Any thread.
#pragma once

#include "absl/status/statusor.h"
#include "address.h"
#include "owned_fd.h"

namespace datapy_kafka::rpc {

// Binds and listens; `address->port` 0 becomes the port that was found. Errors:
// kAlreadyExists when the port is taken.
absl::StatusOr<OwnedFd> ListenTcp(Address* address);

}  // namespace datapy_kafka::rpc
