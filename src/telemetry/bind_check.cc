#include "bind_check.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::telemetry {
namespace {

absl::Status Refuse(const std::string& address, const std::string& why) {
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .Build(absl::StrCat("--metrics_listen=", address, ": ", why));
}

absl::Status TryToBind(const std::string& address, const addrinfo& found) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::InternalError(absl::StrCat("no socket: ", std::strerror(errno)));
  const int on = 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Two may bind with that option; only one may listen.
  const bool bound = ::bind(fd, found.ai_addr, found.ai_addrlen) == 0 && ::listen(fd, 1) == 0;
  const int error = errno;
  ::close(fd);
  if (bound) return absl::OkStatus();
  const std::string what = absl::StrCat("--metrics_listen=", address, ": ");
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(what, "another process listens there; choose another port"));
    case EADDRNOTAVAIL:
      return Refuse(address, "this machine does not have that address; 0.0.0.0 takes all that it has");
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(what, "not allowed; ports below 1024 are for root, choose a higher one"));
    default:
      return absl::UnavailableError(absl::StrCat(what, std::strerror(error)));
  }
}

}  // namespace

absl::Status CheckMetricsAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port <= 0 || port > 65535) {
    return Refuse(address, "it takes host:port, as 127.0.0.1:9464");
  }
  const std::string host = address.substr(0, colon);
  if (host.find(':') != std::string::npos) {
    return Refuse(address, "metrics are served over IPv4 alone; give 127.0.0.1:port or 0.0.0.0:port");
  }
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (failed != 0) {
    return Refuse(address, absl::StrCat("there is no host \"", host, "\" (", ::gai_strerror(failed), ")"));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  return TryToBind(address, *found);
}

}  // namespace datapy_kafka::telemetry
