#include "address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::rpc {
namespace {

constexpr absl::string_view kScheme = "unix:";

absl::Status Malformed(absl::string_view text, absl::string_view what) {
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .Build(absl::StrCat("the address \"", text, "\" ", what,
                          "; use unix:///absolute/path, 127.0.0.1:port, [::1]:port or localhost:port"));
}

absl::StatusOr<Address> ParseUnix(absl::string_view text) {
  absl::string_view path = text.substr(kScheme.size());
  if (absl::StartsWith(path, "//")) path.remove_prefix(2);
  if (!absl::StartsWith(path, "/")) return Malformed(text, "has no absolute path");
  if (path.find('\0') != absl::string_view::npos) return Malformed(text, "holds a zero byte");
  if (absl::EndsWith(path, "/")) return Malformed(text, "names a directory, not a file");
  if (path.size() > kMaxSocketPath) {
    return Malformed(text, absl::StrCat("has a path of ", path.size(), " bytes; ", kMaxSocketPath,
                                        " is the most that a unix socket can have"));
  }
  Address address;
  address.path = std::string(path);
  address.loopback = true;
  return address;
}

bool IsLoopback4(const in_addr& host) { return (ntohl(host.s_addr) >> 24) == 127; }

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  if (absl::StartsWith(text, kScheme)) return ParseUnix(text);
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(text, "has no port");
  absl::string_view host = text.substr(0, colon);
  Address address;
  address.kind = Address::Kind::kTcp;
  const absl::string_view port_text = text.substr(colon + 1);
  uint32_t port = 0;
  // SimpleAtoi takes signs and blanks, which no port has.
  if (port_text.empty() || port_text.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(port_text, &port) || port > 65535) {
    return Malformed(text, "has no port of 0 to 65535");
  }
  address.port = static_cast<uint16_t>(port);
  if (host == "localhost") host = "127.0.0.1";
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return Malformed(text, "lacks a ]");
    address.ipv6 = true;
  }
  address.host = std::string(host);
  if (host.find('\0') != absl::string_view::npos) return Malformed(text, "holds a zero byte");
  if (address.ipv6) {
    in6_addr six{};
    if (inet_pton(AF_INET6, address.host.c_str(), &six) != 1) return Malformed(text, "is no IPv6 address");
    address.loopback = IN6_IS_ADDR_LOOPBACK(&six);
  } else {
    in_addr four{};
    if (inet_pton(AF_INET, address.host.c_str(), &four) != 1) {
      return Malformed(text, "has a host that is no numeric address");
    }
    address.loopback = IsLoopback4(four);
  }
  return address;
}

std::string ToString(const Address& address) {
  if (address.kind == Address::Kind::kUnix) return absl::StrCat("unix://", address.path);
  if (address.ipv6) return absl::StrCat("[", address.host, "]:", address.port);
  return absl::StrCat(address.host, ":", address.port);
}

std::string GrpcTarget(const Address& address) {
  if (address.kind == Address::Kind::kUnix) return absl::StrCat("unix:", address.path);
  return absl::StrCat(address.ipv6 ? "ipv6:" : "ipv4:", ToString(address));
}

}  // namespace datapy_kafka::rpc
