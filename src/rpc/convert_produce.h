// Produce requests as batches of the sink, and its results as answers.
//
// Any thread.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/ports/record_sink.h"
#include "datapy_kafka/rpc/backend.h"
#include "datapy_kafka/v1/sidecar.pb.h"

namespace datapy_kafka::rpc {

struct ProduceCall {
  config::ConnectionOptions connection;
  config::Properties properties;
  ports::ProduceBatch batch;
};

// Lines of the request's columns, records that ParseRequest does not see; no more are
// counted than shows that there are more than `most`.
size_t CountLines(const v1::ProduceRequest& request, size_t most);

// Checks the request and makes a batch whose views point into it: the batch
// owns the request. Errors name everything that is wrong.
absl::StatusOr<ProduceCall> ConvertProduce(std::shared_ptr<const v1::ProduceRequest> request, Backend* backend);

void FillProduceResponse(const ports::ProduceResult& result, v1::ProduceResponse* out);

}  // namespace datapy_kafka::rpc
