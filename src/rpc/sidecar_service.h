// The calls of the API: each is turned into the daemon's types, handed to the
// Backend and answered when that calls back. Nothing here blocks.
//
// Thread-safe; owned by the server.
#pragma once

#include <grpcpp/grpcpp.h>

#include "consume_reactor.h"
#include "datapy_kafka/v1/sidecar.grpc.pb.h"

namespace datapy_kafka::rpc {

// Consume and Produce take their messages as bytes: one tells a frame that does
// not parse from a half-close that way, the other keeps the request beyond the
// call without a copy.
using SidecarServiceBase = v1::KafkaSidecar::WithRawCallbackMethod_Consume<
    v1::KafkaSidecar::WithRawCallbackMethod_Produce<v1::KafkaSidecar::WithCallbackMethod_CheckConnection<
        v1::KafkaSidecar::WithCallbackMethod_GetStatus<v1::KafkaSidecar::Service>>>>;

class SidecarService final : public SidecarServiceBase {
 public:
  explicit SidecarService(ConsumeSettings settings) : settings_(std::move(settings)) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Consume(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Produce(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CheckConnection(grpc::CallbackServerContext* context,
                                            const v1::CheckConnectionRequest* request,
                                            v1::CheckConnectionResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;

 private:
  const ConsumeSettings settings_;
};

}  // namespace datapy_kafka::rpc
