#include "tcp_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace datapy_kafka::rpc {
namespace {

// What the kernel allows: a full queue refuses clients (EAGAIN on a unix socket).
constexpr int kBacklog = SOMAXCONN;

absl::Status SocketError(int error, const Address& address) {
  const std::string text = absl::StrCat("cannot listen at ", ToString(address), ": ", std::strerror(error));
  if (error == EADDRINUSE)
    return absl::AlreadyExistsError(absl::StrCat(text, "; stop the other program or choose another port"));
  if (error == EACCES) return absl::PermissionDeniedError(absl::StrCat(text, "; choose a port above 1023"));
  return absl::FailedPreconditionError(text);
}

socklen_t Fill(const Address& address, sockaddr_storage* out) {
  if (address.ipv6) {
    auto* six = reinterpret_cast<sockaddr_in6*>(out);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.host.c_str(), &six->sin6_addr);
    return sizeof(*six);
  }
  auto* four = reinterpret_cast<sockaddr_in*>(out);
  four->sin_family = AF_INET;
  four->sin_port = htons(address.port);
  ::inet_pton(AF_INET, address.host.c_str(), &four->sin_addr);
  return sizeof(*four);
}

uint16_t PortOf(const sockaddr_storage& bound) {
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(bound).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

}  // namespace

absl::StatusOr<OwnedFd> ListenTcp(Address* address) {
  sockaddr_storage wanted{};
  const socklen_t size = Fill(*address, &wanted);
  OwnedFd socket(::socket(wanted.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return SocketError(errno, *address);
  // So that a restart need not wait for old connections; it does not share the
  // port with another listener.
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&wanted), size) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    return SocketError(errno, *address);
  }
  sockaddr_storage bound{};
  socklen_t bound_size = sizeof(bound);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) {
    return SocketError(errno, *address);
  }
  address->port = PortOf(bound);
  return socket;
}

}  // namespace datapy_kafka::rpc
