#include "listener_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::rpc {
namespace {

constexpr unsigned kReloadSeconds = 10;

absl::Status CheckPem(const std::string& path, absl::string_view key) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
        .File(path)
        .Build(absl::StrCat("cannot read listener_tls.", key, " ", path, ": ", std::strerror(errno)));
  }
  if (absl::StrContains(text, "-----BEGIN ")) return absl::OkStatus();
  return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
      .File(path)
      .Build(absl::StrCat("listener_tls.", key, " ", path, " holds no PEM"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MutualTlsCredentials(const config::ListenerTls& tls) {
  // gRPC would log and serve nobody.
  if (absl::Status status = CheckPem(tls.certificate_file, "certificate_file"); !status.ok()) return status;
  if (absl::Status status = CheckPem(tls.private_key_file, "private_key_file"); !status.ok()) return status;
  if (absl::Status status = CheckPem(tls.client_ca_file, "client_ca_file"); !status.ok()) return status;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          tls.private_key_file, tls.certificate_file, tls.client_ca_file, kReloadSeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace datapy_kafka::rpc
