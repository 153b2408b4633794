#include "health_service.h"

#include <grpcpp/grpcpp.h>

#include "absl/strings/str_cat.h"

namespace datapy_kafka::rpc {
namespace {

// Longer names are refused, as gRPC's own service does: a watch keeps its name.
constexpr size_t kMaxName = 200;

grpc::Status NameTooLong() {
  return {grpc::StatusCode::INVALID_ARGUMENT,
          absl::StrCat("the name of a service has ", kMaxName, " bytes at most")};
}

}  // namespace

// One Watch call; deletes itself at its end. All but the reactions is called
// with the service's mutex held.
class HealthService::Watcher final : public grpc::ServerWriteReactor<Response> {
 public:
  Watcher(HealthService* owner, std::string service) : owner_(owner), service_(std::move(service)) {}

  const std::string& service() const { return service_; }

  // Writes it, after what is being written; of several meanwhile only the last.
  void Tell(Serving serving) {
    latest_ = serving;
    if (!writing_) WriteOrFinish();
  }
  void End(grpc::Status status) {
    if (ended_) return;
    ended_ = true;
    end_ = std::move(status);
    if (!writing_) WriteOrFinish();
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&owner_->mutex_);
    writing_ = false;
    if (ok) {
      WriteOrFinish();
    } else {
      broken_ = true;
      End(grpc::Status::CANCELLED);
      WriteOrFinish();
    }
  }
  void OnCancel() override {
    absl::MutexLock lock(&owner_->mutex_);
    broken_ = true;
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    {
      absl::MutexLock lock(&owner_->mutex_);
      owner_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  void WriteOrFinish() {
    if (finished_) return;
    if (latest_ != response_.status() && !broken_) {
      writing_ = true;
      response_.set_status(latest_);
      StartWrite(&response_);
    } else if (ended_) {
      finished_ = true;
      Finish(end_);
    }
  }

  HealthService* const owner_;
  const std::string service_;
  Response response_;  // the last that was written: UNKNOWN, which is never told, before the first
  Serving latest_ = Response::UNKNOWN;
  bool writing_ = false;
  bool broken_ = false;  // nobody reads any more
  bool ended_ = false;
  bool finished_ = false;
  grpc::Status end_;
};

HealthService::Serving HealthService::Now(const std::string& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? Response::SERVICE_UNKNOWN : found->second;
}

void HealthService::Tell(const std::string& service) {
  for (Watcher* watcher : watchers_) {
    if (watcher->service() == service) watcher->Tell(Now(service));
  }
}

void HealthService::Set(absl::string_view service, bool serving) {
  const std::string name(service);
  absl::MutexLock lock(&mutex_);
  services_[name] = serving && !shut_down_ ? Response::SERVING : Response::NOT_SERVING;
  Tell(name);
}

void HealthService::Forget(absl::string_view service) {
  const std::string name(service);
  absl::MutexLock lock(&mutex_);
  services_.erase(name);
  Tell(name);
}

void HealthService::Shutdown() {
  absl::MutexLock lock(&mutex_);
  shut_down_ = true;
  for (auto& [name, serving] : services_) serving = Response::NOT_SERVING;
  for (Watcher* watcher : watchers_) {
    watcher->Tell(Now(watcher->service()));
    watcher->End({grpc::StatusCode::UNAVAILABLE, "the daemon has stopped"});
  }
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const Request* request,
                                               Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (request->service().size() > kMaxName) {
    reactor->Finish(NameTooLong());
    return reactor;
  }
  Serving now;
  {
    absl::MutexLock lock(&mutex_);
    now = Now(request->service());
  }
  if (now == Response::SERVICE_UNKNOWN) {
    reactor->Finish({grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("there is no service \"", request->service(),
                                  "\"; \"\" is the daemon, \"session/<id>\" an open session")});
    return reactor;
  }
  response->set_status(now);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthService::Response>* HealthService::Watch(
    grpc::CallbackServerContext* /*context*/, const Request* request) {
  const bool too_long = request->service().size() > kMaxName;
  auto* watcher = new Watcher(this, too_long ? "" : request->service());
  absl::MutexLock lock(&mutex_);
  watchers_.insert(watcher);
  if (too_long) {
    watcher->End(NameTooLong());
    return watcher;
  }
  watcher->Tell(Now(watcher->service()));
  if (shut_down_) watcher->End({grpc::StatusCode::UNAVAILABLE, "the daemon has stopped"});
  return watcher;
}

}  // namespace datapy_kafka::rpc
