// Mutual TLS for listeners. Any thread.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "datapy_kafka/config/options.h"

namespace datapy_kafka::rpc {

// Credentials that ask every client for a certificate of `client_ca_file` and
// read the files again when they change. Errors: kTlsMaterialInvalid with the
// file that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MutualTlsCredentials(const config::ListenerTls& tls);

}  // namespace datapy_kafka::rpc
