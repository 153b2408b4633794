// The addresses that the daemon listens on and clients dial.
//
//   auto address = ParseAddress("unix:///run/datapy-kafka/sidecar.sock");
//
// Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace datapy_kafka::rpc {

// The longest path of a unix socket, in bytes: sun_path less its final zero.
inline constexpr size_t kMaxSocketPath = 107;

struct Address {
  enum class Kind { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path;  // kUnix: absolute
  std::string host;  // kTcp: a numeric address without brackets
  uint16_t port = 0;
  bool ipv6 = false;
  bool loopback = false;
};

// Parses "unix:///absolute/path", "IPv4:port", "[IPv6]:port" and
// "localhost:port" (which is 127.0.0.1). Other host names are refused: what a
// name resolves to may change, and with it who can connect. Errors:
// kInvalidArgument that says what is accepted.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// As ParseAddress reads it.
std::string ToString(const Address& address);

// As gRPC's name resolution reads it.
std::string GrpcTarget(const Address& address);

}  // namespace datapy_kafka::rpc
