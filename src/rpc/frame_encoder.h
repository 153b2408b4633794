// Frames of a session as messages of the API, in memory that is used again.
//
// One thread at a time. A message is valid until the next call.
#pragma once

#include <memory>
#include <string>

#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/v1/sidecar.pb.h"
#include "record_batch.h"

namespace datapy_kafka::rpc {

class FrameEncoder {
 public:
  explicit FrameEncoder(std::string daemon_version);

  const v1::ConsumeResponse* Columns(const RecordBatch& batch);
  const v1::ConsumeResponse* Rows(const RecordBatch& batch);
  // Every frame but deliveries.
  const v1::ConsumeResponse* Control(const ports::ServerFrame& frame);

 private:
  // Cleared strings keep their memory: messages that held large values are
  // made anew, so that a stream never holds the sum of its largest frames.
  v1::ConsumeResponse* ForRecords(const RecordBatch& batch);

  const std::string daemon_version_;
  std::unique_ptr<v1::ConsumeResponse> records_ = std::make_unique<v1::ConsumeResponse>();
  bool records_are_large_ = false;
  v1::ConsumeResponse control_;
};

// Sums that GetStatus shows as well.
void FillTotals(const ports::SessionTotals& totals, v1::SessionTotals* out);

}  // namespace datapy_kafka::rpc
