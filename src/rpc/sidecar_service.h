// The calls of the API: each is turned into the daemon's types, handed to the
// Backend and answered when that calls back. Nothing here blocks.
//
// Thread-safe; owned by the server.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "consume_reactor.h"
#include "datapy_kafka/v1/sidecar.grpc.pb.h"
#include "request_parser.h"

namespace datapy_kafka::rpc {

// All calls take their messages as bytes and see for themselves what they hold
// (see request_parser.h). Besides, Consume tells a frame that does not parse
// from a half-close that way, and Produce keeps the request beyond the call.
using SidecarServiceBase = v1::KafkaSidecar::WithRawCallbackMethod_Consume<
    v1::KafkaSidecar::WithRawCallbackMethod_Produce<v1::KafkaSidecar::WithRawCallbackMethod_CheckConnection<
        v1::KafkaSidecar::WithRawCallbackMethod_GetStatus<v1::KafkaSidecar::Service>>>>;

class SidecarService final : public SidecarServiceBase {
 public:
  explicit SidecarService(ConsumeSettings settings)
      : settings_(std::move(settings)),
        budget_(std::make_shared<RequestBudget>(settings_.limits.max_rpc_memory_bytes)),
        places_(std::make_shared<RequestBudget>(kCallsPerSession * settings_.limits.max_sessions)) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Consume(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Produce(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CheckConnection(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override;

 private:
  // Calls that begin and that end stand beside those with a session.
  static constexpr uint64_t kCallsPerSession = 4;

  const ConsumeSettings settings_;
  // Of Produce. Its requests may outlive this.
  const std::shared_ptr<RequestBudget> budget_;
  // Of Consume calls. gRPC's own bound holds for clients that heed it.
  const std::shared_ptr<RequestBudget> places_;
};

}  // namespace datapy_kafka::rpc
