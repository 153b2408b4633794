#include "status_details.h"

#include <string>

#include "datapy_kafka/base/error.h"
#include "datapy_kafka/v1/error.pb.h"
#include "utf8.h"

namespace datapy_kafka::rpc {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kDomain[] = "datapy-kafka-sidecar";
// The message travels twice: percent-encoded (up to three bytes for one) and,
// inside the details, as base64 (four for three).
constexpr size_t kMaxMessage = 1400;
constexpr size_t kMaxMetadata = 256;
constexpr size_t kMaxEntries = 8;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(static_cast<int>(status.code()));
  const std::string message = ToValidUtf8(status.message(), kMaxMessage);
  const ErrorInfo error = GetErrorInfo(status);

  v1::RpcErrorInfo info;
  info.set_reason(std::string(ErrorReasonName(error.reason)));
  info.set_domain(kDomain);
  size_t entries = 0;
  for (const auto& [key, value] : error.metadata) {
    if (++entries > kMaxEntries) break;
    (*info.mutable_metadata())[key] = ToValidUtf8(value, kMaxMetadata);
  }
  v1::RpcStatus details;
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  google::protobuf::Any* any = details.add_details();
  any->set_type_url(kErrorInfoUrl);
  any->set_value(info.SerializeAsString());
  return grpc::Status(code, message, details.SerializeAsString());
}

}  // namespace datapy_kafka::rpc
