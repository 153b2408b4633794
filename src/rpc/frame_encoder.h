// Frames of a session as messages of the API, encoded, in memory that is used
// again. One thread at a time.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <string>

#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/v1/sidecar.pb.h"
#include "record_batch.h"

namespace datapy_kafka::rpc {

class FrameEncoder {
 public:
  explicit FrameEncoder(std::string daemon_version);

  grpc::ByteBuffer Columns(const RecordBatch& batch);
  grpc::ByteBuffer Rows(const RecordBatch& batch);
  // Every frame but deliveries.
  grpc::ByteBuffer Control(const ports::ServerFrame& frame);

 private:
  const std::string daemon_version_;
  v1::RecordColumns head_;
  v1::ConsumeResponse control_;
};

// Sums that GetStatus shows as well.
void FillTotals(const ports::SessionTotals& totals, v1::SessionTotals* out);

}  // namespace datapy_kafka::rpc
