#include "datapy_kafka/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "acceptor.h"
#include "address.h"
#include "datapy_kafka/base/error.h"
#include "health_service.h"
#include "listener_credentials.h"
#include "reflection.h"
#include "sidecar_service.h"
#include "tcp_socket.h"
#include "unix_socket.h"

namespace datapy_kafka::rpc {
namespace {

constexpr int kMinClientPingIntervalMs = 5'000;
constexpr int kKeepaliveMs = 300'000;
constexpr int kKeepaliveTimeoutMs = 60'000;
constexpr int kMaxReflectionThreads = 16;

int ClampInt(uint64_t value) {
  return static_cast<int>(std::min<uint64_t>(value, std::numeric_limits<int>::max()));
}

absl::StatusOr<std::vector<Address>> ParseAll(const ServerOptions& options) {
  if (options.listen.empty()) {
    return ErrorBuilder(ErrorReason::kInvalidArgument)
        .Build("there is no address to listen at; give --listen one");
  }
  std::vector<Address> addresses;
  for (const std::string& text : options.listen) {
    absl::StatusOr<Address> address = ParseAddress(text);
    if (!address.ok()) return address.status();
    if (!address->loopback && !options.tls.has_value()) {
      return ErrorBuilder(ErrorReason::kInvalidArgument)
          .Build(
              absl::StrCat("the address ", text,
                           " can be reached from other machines and there is no listener_tls; configure mutual "
                           "TLS, or use a unix socket or a loopback address"));
    }
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, Backend* backend)
      : options_(options),
        service_(ConsumeSettings{backend, options.limits, options.max_drain_timeout, options.version}) {}
  ~ServerImpl() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Open();

  std::vector<std::string> addresses() const override {
    std::vector<std::string> texts;
    for (const Address& address : addresses_) texts.push_back(ToString(address));
    return texts;
  }
  void SetServing(absl::string_view service, bool serving) override;
  void Forget(absl::string_view service) override { health_.Forget(service); }
  void Shutdown(absl::Duration timeout) override;

 private:
  absl::Status Bind(Address* address);
  void Configure(grpc::ServerBuilder* builder);
  absl::Status Build();
  void Take(const Acceptor::Listener& listener, OwnedFd connection);

  const ServerOptions options_;
  std::vector<Address> addresses_;
  std::vector<std::unique_ptr<UnixSocket>> unix_sockets_;
  std::vector<OwnedFd> tcp_sockets_;
  Acceptor::Options accept_;
  SidecarService service_;
  HealthService health_;
  // Does the TLS of connections that came by TCP; null without listener_tls.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> tls_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;  // uses server_ and tls_
  bool shut_down_ = false;
};

absl::Status ServerImpl::Bind(Address* address) {
  if (address->kind == Address::Kind::kUnix) {
    auto socket = UnixSocket::Listen(address->path, options_.socket_group_access);
    if (!socket.ok()) return socket.status();
    accept_.listeners.push_back({(*socket)->fd(), true});
    unix_sockets_.push_back(*std::move(socket));
    return absl::OkStatus();
  }
  absl::StatusOr<OwnedFd> socket = ListenTcp(address);
  if (!socket.ok()) return socket.status();
  accept_.listeners.push_back({socket->get(), false});
  tcp_sockets_.push_back(*std::move(socket));
  return absl::OkStatus();
}

void ServerImpl::Configure(grpc::ServerBuilder* builder) {
  const config::Limits& limits = options_.limits;
  builder->RegisterService(&service_);
  builder->RegisterService(&health_);
  builder->SetOption(ReflectionOption(options_.reflection));
  builder->SetMaxReceiveMessageSize(ClampInt(limits.max_request_bytes));
  builder->SetMaxSendMessageSize(-1);
  grpc::ResourceQuota quota("datapy-kafka-sidecar");
  quota.Resize(limits.max_rpc_memory_bytes).SetMaxThreads(kMaxReflectionThreads);
  builder->SetResourceQuota(quota);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, ClampInt(limits.max_streams_per_connection));
  if (limits.idle_timeout < absl::InfiniteDuration()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                                ClampInt(absl::ToInt64Milliseconds(limits.idle_timeout)));
  }
  // Clients may ping as often as they like.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingIntervalMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (options_.tls.has_value()) {
    // A machine that is gone says no goodbye. On one machine the kernel does,
    // and a process that is merely stopped keeps its stream.
    builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  }
}

absl::Status ServerImpl::Build() {
  grpc::ServerBuilder builder;
  Configure(&builder);
  if (options_.tls.has_value()) {
    const auto credentials = MutualTlsCredentials(*options_.tls);
    if (!credentials.ok()) return credentials.status();
    // Not a port of gRPC's own: nobody would bound its connections.
    tls_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, *credentials);
  }
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return ErrorBuilder(ErrorReason::kInternal).Build("gRPC could not start its server");
  SetServing("", false);
  return absl::OkStatus();
}

absl::Status ServerImpl::Open() {
  absl::StatusOr<std::vector<Address>> addresses = ParseAll(options_);
  if (!addresses.ok()) return addresses.status();
  addresses_ = *std::move(addresses);
  for (Address& address : addresses_) {
    if (absl::Status status = Bind(&address); !status.ok()) return status;
  }
  if (absl::Status status = Build(); !status.ok()) return status;
  accept_.allowed_uids.assign(options_.allowed_uids.begin(), options_.allowed_uids.end());
  auto acceptor = Acceptor::Start(accept_, [this](const Acceptor::Listener& listener, OwnedFd connection) {
    Take(listener, std::move(connection));
  });
  if (!acceptor.ok()) return acceptor.status();
  acceptor_ = *std::move(acceptor);
  return absl::OkStatus();
}

void ServerImpl::Take(const Acceptor::Listener& listener, OwnedFd connection) {
  if (listener.unix_socket || tls_ == nullptr) {
    return grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = listener.fd;
  parameters.fd = connection.Release();
  tls_->HandleNewConnection(&parameters);
}

void ServerImpl::SetServing(absl::string_view service, bool serving) {
  health_.Set(service, serving);
  if (service.empty()) health_.Set(v1::KafkaSidecar::service_full_name(), serving);
}

void ServerImpl::Shutdown(absl::Duration timeout) {
  if (shut_down_) return;
  shut_down_ = true;
  if (acceptor_ != nullptr) acceptor_->Stop();
  if (server_ != nullptr) {
    health_.Shutdown();
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
    server_->Wait();
  }
  unix_sockets_.clear();
  tcp_sockets_.clear();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Backend* backend) {
  // gRPC stays up until the process ends. Taking it down joins a poller that
  // sleeps for ten seconds after a client did not read: a clean stop would hang.
  [[maybe_unused]] static const bool kept = (grpc_init(), true);
  auto server = std::make_unique<ServerImpl>(options, backend);
  if (absl::Status status = server->Open(); !status.ok()) return status;
  return server;
}

}  // namespace datapy_kafka::rpc
