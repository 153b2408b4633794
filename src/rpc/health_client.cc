#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "address.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/rpc/server.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace datapy_kafka::rpc {

absl::Status CheckHealth(const std::string& address, absl::Duration timeout) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  const auto stub = grpc::health::v1::Health::NewStub(
      grpc::CreateChannel(GrpcTarget(*parsed), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, {}, &response);
  if (!status.ok()) {
    return absl::UnavailableError(
        absl::StrCat("no answer from the daemon at ", address, ": ", status.error_message()));
  }
  if (response.status() != grpc::health::v1::HealthCheckResponse::SERVING) {
    return absl::UnavailableError(
        absl::StrCat("the daemon at ", address, " does not serve: it starts or stops"));
  }
  return absl::OkStatus();
}

}  // namespace datapy_kafka::rpc
