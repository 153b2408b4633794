// Connections of clients that are no gRPC.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "rpc/owned_fd.h"

namespace datapy_kafka::rpc {

template <typename SocketAddress>
OwnedFd ConnectTo(const SocketAddress& address) {
  OwnedFd fd(::socket(reinterpret_cast<const sockaddr&>(address).sa_family, SOCK_STREAM, 0));
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// Whether the server closed at least `count` of them, or does within `patience`.
inline bool AwaitClosed(const std::vector<OwnedFd>& connections, int count, absl::Duration patience) {
  const auto closed = [](const OwnedFd& fd) {
    char byte;
    ssize_t got;
    while ((got = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT)) > 0) {
    }
    return got == 0 || errno == ECONNRESET;
  };
  const absl::Time end = absl::Now() + patience;
  while (std::count_if(connections.begin(), connections.end(), closed) < count) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

}  // namespace datapy_kafka::rpc
