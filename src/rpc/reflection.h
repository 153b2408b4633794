// Whether a server offers gRPC reflection.
#pragma once

#include <grpcpp/impl/server_builder_option.h>

#include <memory>

namespace datapy_kafka::rpc {

// Linking gRPC's reflection library turns it on for every server of the
// process; this option turns it on or off for one.
std::unique_ptr<grpc::ServerBuilderOption> ReflectionOption(bool enabled);

}  // namespace datapy_kafka::rpc
