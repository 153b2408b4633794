#include "sidecar_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "convert_connection.h"
#include "convert_produce.h"
#include "convert_status.h"
#include "datapy_kafka/base/error.h"
#include "status_details.h"
#include "wire_time.h"

namespace datapy_kafka::rpc {
namespace {

constexpr absl::Duration kCheckTimeout = absl::Seconds(10);
constexpr absl::Duration kMaxCheckTimeout = absl::Seconds(60);

grpc::Status AnswerProduce(const absl::StatusOr<ports::ProduceResult>& result, grpc::ByteBuffer* response) {
  if (!result.ok()) return ToGrpcStatus(result.status());
  v1::ProduceResponse message;
  FillProduceResponse(*result, &message);
  bool own_buffer = true;
  return grpc::SerializationTraits<v1::ProduceResponse>::Serialize(message, response, &own_buffer);
}

void FillCheck(const ports::ConnectionInfo& info, v1::CheckConnectionResponse* out) {
  out->set_broker_count(info.broker_count);
  for (const std::string& topic : info.topics) out->add_topics(topic);
  out->set_cluster_id(info.cluster_id);
  out->set_librdkafka_version(info.librdkafka_version);
  out->set_duration_ms(absl::ToInt64Milliseconds(info.duration));
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* SidecarService::Consume(
    grpc::CallbackServerContext* context) {
  return new ConsumeReactor(context, &settings_);  // deletes itself
}

grpc::ServerUnaryReactor* SidecarService::Produce(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto message = std::make_shared<v1::ProduceRequest>();
  grpc::ByteBuffer bytes(*request);  // shares the slices; parsing consumes it
  if (!grpc::SerializationTraits<v1::ProduceRequest>::Deserialize(&bytes, message.get()).ok()) {
    reactor->Finish(
        ToGrpcStatus(ErrorBuilder(ErrorReason::kInvalidArgument)
                         .Build("the request is no ProduceRequest: its bytes are not valid protobuf")));
    return reactor;
  }
  absl::StatusOr<ProduceCall> call = ConvertProduce(std::move(message), settings_.backend);
  if (!call.ok()) {
    reactor->Finish(ToGrpcStatus(call.status()));
    return reactor;
  }
  settings_.backend->Produce(std::move(call->connection), std::move(call->properties), std::move(call->batch),
                             [reactor, response](absl::StatusOr<ports::ProduceResult> result) {
                               reactor->Finish(AnswerProduce(result, response));
                             });
  return reactor;
}

grpc::ServerUnaryReactor* SidecarService::CheckConnection(grpc::CallbackServerContext* context,
                                                          const v1::CheckConnectionRequest* request,
                                                          v1::CheckConnectionResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Duration timeout = kCheckTimeout;
  if (request->has_timeout()) {
    const auto asked = ReadDuration(request->timeout());
    if (!asked.has_value() || *asked <= absl::ZeroDuration()) {
      reactor->Finish(ToGrpcStatus(ErrorBuilder(ErrorReason::kInvalidArgument)
                                       .Build("timeout must be a positive duration; leave it out for 10 s")));
      return reactor;
    }
    timeout = std::min(*asked, kMaxCheckTimeout);
  }
  auto connection = CheckedConnection(request->has_connection(), request->connection(), settings_.backend);
  if (!connection.ok()) {
    reactor->Finish(ToGrpcStatus(connection.status()));
    return reactor;
  }
  settings_.backend->CheckConnection(*std::move(connection), timeout,
                                     [reactor, response](absl::StatusOr<ports::ConnectionInfo> info) {
                                       if (info.ok()) FillCheck(*info, response);
                                       reactor->Finish(ToGrpcStatus(info.status()));
                                     });
  return reactor;
}

grpc::ServerUnaryReactor* SidecarService::GetStatus(grpc::CallbackServerContext* context,
                                                    const v1::GetStatusRequest* /*request*/,
                                                    v1::GetStatusResponse* response) {
  FillStatus(settings_.backend->GetStatus(), absl::Now(), response);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace datapy_kafka::rpc
