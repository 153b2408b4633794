// The gRPC server: API, health and reflection on unix sockets and TCP.
//
//   auto server = rpc::Server::Start(options, backend);   // StatusOr
//   (*server)->SetServing("", true);
//   ...
//   (*server)->Shutdown(absl::Seconds(5));
//
// Owned by main and used on its thread, but for SetServing and Forget (thread-safe). Calls
// run on gRPC's own threads.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/rpc/backend.h"

namespace datapy_kafka::rpc {

struct ServerOptions {
  // "unix:///path" and "host:port"; port 0 takes a free one.
  std::vector<std::string> listen;
  bool reflection = true;
  config::Limits limits;
  std::optional<config::ListenerTls> tls;
  std::vector<uint32_t> allowed_uids;
  bool socket_group_access = false;
  absl::Duration max_drain_timeout = absl::Seconds(30);
  std::string version;
};

class Server {
 public:
  // Binds every address or none. Errors: kInvalidArgument for an address that
  // is malformed, too long or not allowed; kAlreadyExists when another daemon
  // holds it; kPermissionDenied and kFailedPrecondition when the path cannot be
  // used. `backend` must outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, Backend* backend);

  virtual ~Server() = default;

  // The addresses as bound, with real ports.
  virtual std::vector<std::string> addresses() const = 0;

  // Sets the health of a service: "" is the daemon's readiness.
  virtual void SetServing(absl::string_view service, bool serving) = 0;
  // Takes a service's health away: there is no such service any more.
  virtual void Forget(absl::string_view service) = 0;

  // Refuses new calls, waits for open ones, then cancels them. Removes sockets.
  virtual void Shutdown(absl::Duration timeout) = 0;
};

// Asks the daemon at `address` for its health; OK when it serves.
absl::Status CheckHealth(const std::string& address, absl::Duration timeout);

}  // namespace datapy_kafka::rpc
