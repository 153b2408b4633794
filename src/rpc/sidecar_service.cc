#include "sidecar_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
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

// What a call and an entry of its request take in memory, roughly.
constexpr uint64_t kCallBytes = 32 << 10;
constexpr uint64_t kEntryBytes = 256;

grpc::Status Encode(const google::protobuf::Message& message, grpc::ByteBuffer* response) {
  bool own_buffer = true;
  return grpc::SerializationTraits<google::protobuf::Message>::Serialize(message, response, &own_buffer);
}

grpc::Status AnswerProduce(const absl::StatusOr<ports::ProduceResult>& result, grpc::ByteBuffer* response) {
  if (!result.ok()) return ToGrpcStatus(result.status());
  v1::ProduceResponse message;
  FillProduceResponse(*result, &message);
  return Encode(message, response);
}

// A request with its share of the budget.
struct HeldRequest {
  v1::ProduceRequest message;
  std::shared_ptr<void> share;
};

// How many entries the request held, lines among them.
absl::StatusOr<size_t> ParseProduce(grpc::ByteBuffer* bytes, v1::ProduceRequest* message) {
  absl::StatusOr<size_t> entries = ParseRequest(bytes, message);
  if (!entries.ok()) return entries;
  *entries += CountLines(*message, kMaxRequestEntries);
  if (*entries > kMaxRequestEntries) return TooManyEntries(*message);
  return entries;
}

grpc::Status AnswerCheck(const absl::StatusOr<ports::ConnectionInfo>& info, grpc::ByteBuffer* response) {
  if (!info.ok()) return ToGrpcStatus(info.status());
  v1::CheckConnectionResponse message;
  message.set_broker_count(info->broker_count);
  for (const std::string& topic : info->topics) message.add_topics(topic);
  message.set_cluster_id(info->cluster_id);
  message.set_librdkafka_version(info->librdkafka_version);
  // Rounded up: zero would be left out of what grpcurl shows.
  message.set_duration_ms(absl::ToInt64Milliseconds(absl::Ceil(info->duration, absl::Milliseconds(1))));
  return Encode(message, response);
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* SidecarService::Consume(
    grpc::CallbackServerContext* context) {
  return new ConsumeReactor(context, &settings_, RequestBudget::Take(places_, 1));  // deletes itself
}

grpc::ServerUnaryReactor* SidecarService::Produce(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto held = std::make_shared<HeldRequest>();
  grpc::ByteBuffer bytes(*request);  // shares the slices; parsing consumes it
  const absl::StatusOr<size_t> entries = ParseProduce(&bytes, &held->message);
  if (!entries.ok()) {
    reactor->Finish(ToGrpcStatus(entries.status()));
    return reactor;
  }
  held->share = RequestBudget::Take(budget_, kCallBytes + request->Length() + *entries * kEntryBytes);
  if (held->share == nullptr) {
    reactor->Finish(ToGrpcStatus(
        ErrorBuilder(ErrorReason::kResourceExhausted)
            .Build(absl::StrCat("requests that wait for a broker fill the daemon's ", budget_->limit(),
                                " bytes for them; wait for their answers, or raise "
                                "limits.max_rpc_memory_bytes"))));
    return reactor;
  }
  std::shared_ptr<const v1::ProduceRequest> message(held, &held->message);
  absl::StatusOr<ProduceCall> call = ConvertProduce(std::move(message), settings_.backend);
  if (!call.ok()) {
    reactor->Finish(ToGrpcStatus(call.status()));
    return reactor;
  }
  settings_.backend->Produce(std::move(call->connection), std::move(call->properties), std::move(call->batch),
                             [reactor, response](const absl::StatusOr<ports::ProduceResult>& result) {
                               reactor->Finish(AnswerProduce(result, response));
                             });
  return reactor;
}

grpc::ServerUnaryReactor* SidecarService::CheckConnection(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request,
                                                          grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  v1::CheckConnectionRequest message;
  grpc::ByteBuffer bytes(*request);
  if (const auto parsed = ParseRequest(&bytes, &message); !parsed.ok()) {
    reactor->Finish(ToGrpcStatus(parsed.status()));
    return reactor;
  }
  absl::Duration timeout = kCheckTimeout;
  if (message.has_timeout()) {
    const auto asked = ReadDuration(message.timeout());
    if (!asked.has_value() || *asked <= absl::ZeroDuration()) {
      reactor->Finish(ToGrpcStatus(ErrorBuilder(ErrorReason::kInvalidArgument)
                                       .Build("timeout must be a positive duration; leave it out for 10 s")));
      return reactor;
    }
    timeout = std::min(*asked, kMaxCheckTimeout);
  }
  auto connection = CheckedConnection(message.has_connection(), message.connection(), settings_.backend);
  if (!connection.ok()) {
    reactor->Finish(ToGrpcStatus(connection.status()));
    return reactor;
  }
  settings_.backend->CheckConnection(*std::move(connection), timeout,
                                     [reactor, response](const absl::StatusOr<ports::ConnectionInfo>& info) {
                                       reactor->Finish(AnswerCheck(info, response));
                                     });
  return reactor;
}

// The request is empty: what it holds is not looked at.
grpc::ServerUnaryReactor* SidecarService::GetStatus(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* /*request*/,
                                                    grpc::ByteBuffer* response) {
  v1::GetStatusResponse message;
  FillStatus(settings_.backend->GetStatus(), absl::Now(), &message);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(Encode(message, response));
  return reactor;
}

}  // namespace datapy_kafka::rpc
