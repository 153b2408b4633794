// Accepts connections, and hands them to gRPC.
//
// gRPC's own listeners cannot tell who connects, bound how many there are, or
// keep a unix socket from being taken over; this does all three. One thread;
// Stop and the destructor join it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "owned_fd.h"

namespace datapy_kafka::rpc {

class Acceptor {
 public:
  struct Listener {
    int fd = -1;  // non-blocking; outlives the acceptor
    bool unix_socket = false;
  };
  struct Options {
    std::vector<Listener> listeners;
    // Users that may connect to unix sockets, beside the daemon's own. Empty:
    // whoever the file's permissions let in.
    std::vector<uid_t> allowed_uids;
    // Connections at once; those beyond it are closed as they come. Each takes
    // two descriptors.
    size_t max_connections = 256;
  };
  // Takes a connection over that came to `listener`. The acceptor's thread.
  using Handler = std::function<void(const Listener& listener, OwnedFd connection)>;

  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(Options options, Handler handler);

  ~Acceptor() { Stop(); }

  // Accepts no more. Idempotent; one thread.
  void Stop();

 private:
  Acceptor(Options options, Handler handler, OwnedFd wake);

  void Run();
  void AcceptAll(const Listener& listener);
  bool Allowed(int connection);
  void Complain(const char* what);

  const Options options_;
  const Handler handler_;
  const OwnedFd wake_;  // an eventfd
  const uid_t own_uid_;

  // Of the thread: duplicates that tell when a connection is gone.
  std::vector<OwnedFd> open_;
  absl::Time next_complaint_ = absl::InfinitePast();
  bool out_of_descriptors_ = false;

  std::thread thread_;
};

}  // namespace datapy_kafka::rpc
