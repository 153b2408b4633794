#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "address.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/rpc/server.h"

namespace datapy_kafka::rpc {
namespace {

// grpc.health.v1.HealthCheckRequest without a service, and HealthCheckResponse
// whose status is SERVING: as bytes, since no package ships their classes.
constexpr char kCheckMethod[] = "/grpc.health.v1.Health/Check";
constexpr char kServing[] = {0x08, 0x01};

grpc::Status Check(const std::string& target, absl::Duration timeout, grpc::ByteBuffer* response) {
  const auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  const grpc::ByteBuffer request(nullptr, 0);
  const grpc::internal::RpcMethod method(kCheckMethod, grpc::internal::RpcMethod::NORMAL_RPC);
  return grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(channel.get(), method, &context,
                                                                               request, response);
}

}  // namespace

absl::Status CheckHealth(const std::string& address, absl::Duration timeout) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  grpc::ByteBuffer response;
  const grpc::Status status = Check(GrpcTarget(*parsed), timeout, &response);
  if (!status.ok()) {
    return absl::UnavailableError(
        absl::StrCat("no answer from the daemon at ", address, ": ", status.error_message()));
  }
  grpc::Slice bytes;
  if (!response.DumpToSingleSlice(&bytes).ok() ||
      std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()) != std::string(kServing, 2)) {
    return absl::UnavailableError(
        absl::StrCat("the daemon at ", address, " does not serve: it starts or stops"));
  }
  return absl::OkStatus();
}

}  // namespace datapy_kafka::rpc
