#include "acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace datapy_kafka::rpc {
namespace {

constexpr absl::Duration kComplaintInterval = absl::Seconds(10);
// How long the listeners rest when the process has no descriptors left.
constexpr int kRestMs = 100;

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(Options options, Handler handler) {
  OwnedFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid())
    return absl::ResourceExhaustedError(absl::StrCat("cannot make an eventfd: ", std::strerror(errno)));
  std::unique_ptr<Acceptor> acceptor(new Acceptor(std::move(options), std::move(handler), std::move(wake)));
  acceptor->thread_ = std::thread(&Acceptor::Run, acceptor.get());
  return acceptor;
}

Acceptor::Acceptor(Options options, Handler handler, OwnedFd wake)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      wake_(std::move(wake)),
      own_uid_(::geteuid()) {}

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Fails only when it has been written already.
  (void)!::write(wake_.get(), &one, sizeof(one));
  thread_.join();
  open_.clear();
}

void Acceptor::Run() {
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    polled.push_back({wake_.get(), POLLIN, 0});
    for (const Listener& listener : options_.listeners) {
      polled.push_back({listener.fd, static_cast<short>(out_of_descriptors_ ? 0 : POLLIN), 0});
    }
    for (const OwnedFd& open : open_) polled.push_back({open.get(), 0, 0});  // POLLHUP comes unasked
    const int ready = ::poll(polled.data(), polled.size(), out_of_descriptors_ ? kRestMs : -1);
    if (ready < 0 && errno != EINTR) spdlog::error("cannot wait for connections: {}", std::strerror(errno));
    out_of_descriptors_ = false;
    if (ready <= 0) continue;
    if (polled[0].revents != 0) return;
    // What is gone first, to make room for what comes.
    const size_t first_open = 1 + options_.listeners.size();
    for (size_t i = open_.size(); i-- > 0;) {
      if (polled[first_open + i].revents == 0) continue;
      open_[i] = std::move(open_.back());
      open_.pop_back();
    }
    for (size_t i = 0; i < options_.listeners.size(); ++i) {
      if (polled[1 + i].revents != 0) AcceptAll(options_.listeners[i]);
    }
  }
}

void Acceptor::AcceptAll(const Listener& listener) {
  for (;;) {
    OwnedFd connection(::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connection.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      out_of_descriptors_ = true;
      Complain(std::strerror(errno));
      return;
    }
    if (open_.size() >= options_.max_connections) {
      Complain("too many connections");
      continue;
    }
    if (listener.unix_socket && !Allowed(connection.get())) continue;
    if (!listener.unix_socket) {
      const int on = 1;
      ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    OwnedFd watch(::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
    if (!watch.valid()) {
      out_of_descriptors_ = true;
      Complain(std::strerror(errno));
      return;
    }
    open_.push_back(std::move(watch));
    handler_(listener, std::move(connection));
  }
}

bool Acceptor::Allowed(int connection) {
  if (options_.allowed_uids.empty()) return true;
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    Complain("its user is not known");
    return false;
  }
  if (peer.uid == own_uid_ || std::find(options_.allowed_uids.begin(), options_.allowed_uids.end(), peer.uid) !=
                                  options_.allowed_uids.end()) {
    return true;
  }
  Complain(absl::StrCat("user ", peer.uid, " (pid ", peer.pid, ") is not among allowed_uids").c_str());
  return false;
}

// At most one line in a while: whoever connects must not fill the log.
void Acceptor::Complain(const char* what) {
  const absl::Time now = absl::Now();
  if (now < next_complaint_) return;
  next_complaint_ = now + kComplaintInterval;
  spdlog::warn("a connection was refused: {}", what);
}

}  // namespace datapy_kafka::rpc
