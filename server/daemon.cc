#include "daemon.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon_backend.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/config/load.h"
#include "datapy_kafka/kafka/client_factory.h"
#include "datapy_kafka/kafka/dev_broker.h"
#include "datapy_kafka/rpc/server.h"
#include "datapy_kafka/telemetry/logging.h"
#include "datapy_kafka/telemetry/metrics_server.h"
#include "datapy_kafka/telemetry/summary_log.h"
#include "sd_notify.h"
#include "signals.h"

namespace datapy_kafka {
namespace {

constexpr absl::Duration kHealthTimeout = absl::Seconds(3);
constexpr absl::Duration kServerShutdown = absl::Seconds(5);
// What clients of Kafka that are still being freed are waited for at the end.
constexpr absl::Duration kFreeTimeout = absl::Seconds(2);

int Fail(const absl::Status& status, int code) {
  std::cerr << "datapy-kafka-sidecar: " << status.message() << "\n";
  return code;
}

// Secrets live in this process: no core dump, no ptrace by the same user.
void ForbidDumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

int AskForHealth(const DaemonOptions& options) {
  // A TCP address may want a certificate that this process has not.
  const auto is_unix = [](const std::string& address) { return absl::StartsWith(address, "unix:"); };
  const auto found = std::find_if(options.listen.begin(), options.listen.end(), is_unix);
  const std::string& address = found == options.listen.end() ? options.listen.front() : *found;
  const absl::Status status = rpc::CheckHealth(address, kHealthTimeout);
  if (!status.ok()) return Fail(status, kExitFailed);
  std::cout << "serving at " << address << "\n";
  return kExitClean;
}

int ReportCheck(const config::FileOptions& file) {
  std::cout << "configuration is valid; connections: "
            << (file.connections.empty() ? "none"
                                         : absl::StrJoin(file.connections, ", ",
                                                         [](std::string* out, const auto& entry) {
                                                           absl::StrAppend(out, entry.first);
                                                         }))
            << "\n";
  return kExitClean;
}

int ExitCodeFor(const absl::Status& start_failure) {
  return absl::IsAlreadyExists(start_failure) ? kExitAddressTaken : kExitBadConfiguration;
}

// What runs between start and stop, in the order of construction.
class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options) : options_(options) {}

  // OK, or why it cannot serve.
  absl::Status Start(config::FileOptions file);
  // Drains and stops; blocks.
  void Stop();

 private:
  absl::Status StartDevBroker(config::FileOptions* file);
  absl::Status StartMetrics(const config::Limits& limits);

  const DaemonOptions& options_;
  std::unique_ptr<kafka::DevBroker> dev_broker_;
  // The backend calls it when a session begins or ends; unset until it serves.
  std::atomic<rpc::Server*> health_{nullptr};
  std::unique_ptr<DaemonBackend> backend_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<telemetry::MetricsServer> metrics_;
  std::unique_ptr<telemetry::SummaryLog> summary_;
};

absl::Status Daemon::StartDevBroker(config::FileOptions* file) {
  auto broker = kafka::DevBroker::Start();
  if (!broker.ok()) return broker.status();
  dev_broker_ = *std::move(broker);
  config::ConnectionOptions connection;
  connection.name = "default";
  connection.bootstrap_servers = dev_broker_->bootstrap_servers();
  file->connections["default"] = std::move(connection);
  spdlog::warn(
      "--dev_broker: a Kafka for trying things out at {}, the connection \"default\"; it keeps nothing",
      dev_broker_->bootstrap_servers());
  return absl::OkStatus();
}

absl::Status Daemon::StartMetrics(const config::Limits& limits) {
  if (options_.metrics_listen.empty()) return absl::OkStatus();
  auto metrics = telemetry::MetricsServer::Start(
      options_.metrics_listen, [this] { return backend_->GetStatus(); }, limits);
  if (!metrics.ok()) return metrics.status();
  metrics_ = *std::move(metrics);
  spdlog::info("metrics at http://{}/metrics", options_.metrics_listen);
  return absl::OkStatus();
}

absl::Status Daemon::Start(config::FileOptions file) {
  if (options_.dev_broker) {
    if (absl::Status status = StartDevBroker(&file); !status.ok()) return status;
  }
  DaemonBackend::Setup setup;
  setup.connections = std::move(file.connections);
  setup.limits = file.limits;
  setup.drain_timeout = options_.drain_timeout;
  setup.version = Version();
  setup.on_session_health = [this](const std::string& session, engine::SessionHealth health) {
    rpc::Server* server = health_.load();
    if (server == nullptr) return;
    const std::string service = absl::StrCat("session/", session);
    if (health == engine::SessionHealth::kEnded) return server->Forget(service);
    server->SetServing(service, health == engine::SessionHealth::kServing);
  };
  backend_ = std::make_unique<DaemonBackend>(std::move(setup));

  rpc::ServerOptions rpc;
  rpc.listen = options_.listen;
  rpc.reflection = options_.reflection;
  rpc.limits = file.limits;
  rpc.tls = file.listener_tls;
  rpc.allowed_uids = file.allowed_uids;
  rpc.socket_group_access = file.socket_group_access;
  rpc.max_drain_timeout = options_.drain_timeout;
  rpc.version = Version();
  auto server = rpc::Server::Start(rpc, backend_.get());
  if (!server.ok()) {
    return absl::Status(server.status().code(), absl::StrCat("--listen: ", server.status().message()));
  }
  server_ = *std::move(server);
  backend_->SetListenAddresses(server_->addresses());
  if (absl::Status status = StartMetrics(file.limits); !status.ok()) return status;

  summary_ = std::make_unique<telemetry::SummaryLog>(options_.summary_interval,
                                                     [this] { return backend_->GetStatus(); });
  health_ = server_.get();
  server_->SetServing("", true);
  spdlog::info("datapy-kafka-sidecar {} serves at {} (librdkafka {})", Version(),
               absl::StrJoin(server_->addresses(), ", "), kafka::LibraryVersion());
  return absl::OkStatus();
}

void Daemon::Stop() {
  server_->SetServing("", false);
  const DaemonBackend::Leftovers left = backend_->Drain(options_.drain_timeout);
  health_ = nullptr;
  summary_.reset();
  metrics_.reset();
  server_->Shutdown(kServerShutdown);
  if (left.unsent > 0) spdlog::error("{} produced records could not be delivered before the stop", left.unsent);
  spdlog::info("stopped; {} records stay unacked and come again", left.unacked);
}

int Serve(const DaemonOptions& options, config::FileOptions file) {
  StopSignals signals;
  Daemon daemon(options);
  if (const absl::Status status = daemon.Start(std::move(file)); !status.ok()) {
    return Fail(status, ExitCodeFor(status));
  }
  NotifyServiceManager(absl::StrCat("READY=1\nSTATUS=serving at ", options.listen.front()));
  spdlog::info("stopping: {}", signals.Wait() == SIGINT ? "SIGINT" : "SIGTERM");
  NotifyServiceManager("STOPPING=1\nSTATUS=draining");
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    daemon.Stop();
    stopped = true;
  });
  if (signals.WaitUntil([&] { return stopped.load(); }) != 0) {
    spdlog::warn("a second signal: leaving at once; what is not committed comes again");
    spdlog::shutdown();
    _exit(kExitFailed);
  }
  stopper.join();
  return kExitClean;
}

}  // namespace

int RunDaemon(const DaemonOptions& options) {
  ForbidDumps();
  if (options.action == DaemonOptions::Action::kHealth) return AskForHealth(options);
  if (const absl::Status status = telemetry::SetUpLogging(options.log_level, options.log_format);
      !status.ok()) {
    return Fail(status, kExitBadConfiguration);
  }
  absl::StatusOr<config::FileOptions> file = config::Load(options.config_file, config::ProcessEnvironment());
  if (!file.ok()) return Fail(file.status(), kExitBadConfiguration);
  if (options.action == DaemonOptions::Action::kCheck) return ReportCheck(*file);
  const int code = Serve(options, *std::move(file));
  if (kafka::AwaitFreed(kFreeTimeout)) return code;
  // A thread of librdkafka's would run on while the process is taken down.
  spdlog::shutdown();
  _exit(code);
}

}  // namespace datapy_kafka
