// grpc.health.v1.Health: how the daemon and each of its sessions are.
//
// gRPC's own keeps every name for ever, and sessions come and go, each with a
// name of its own; this one forgets those that have ended. Thread-safe. Owned
// by the server, which ends the watches before it shuts down.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace datapy_kafka::rpc {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  using Serving = Response::ServingStatus;

  void Set(absl::string_view service, bool serving);
  // From now on there is no such service.
  void Forget(absl::string_view service);
  // Says NOT_SERVING for all and ends every watch.
  void Shutdown();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const Request* request,
                                  Response* response) override;
  grpc::ServerWriteReactor<Response>* Watch(grpc::CallbackServerContext* context,
                                            const Request* request) override;

 private:
  class Watcher;

  Serving Now(const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const std::string& service) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::map<std::string, Serving> services_ ABSL_GUARDED_BY(mutex_);
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace datapy_kafka::rpc
