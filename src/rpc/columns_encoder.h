// Records as one array a field, the cheap layout for programs.
//
// Written by hand: through protobuf's own messages each key and value is copied
// once more. Pure; any thread, one at a time for each `head`.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>

#include "datapy_kafka/v1/sidecar.pb.h"
#include "record_batch.h"

namespace datapy_kafka::rpc {

// A value above this is lent to gRPC by its record instead of copied: below, a
// piece of its own costs more than the copy.
inline constexpr size_t kLendAbove = 2048;

// A v1::ConsumeResponse with the batch as columns. `head` is room to work in,
// whose memory is used again.
grpc::ByteBuffer EncodeColumns(const RecordBatch& batch, v1::RecordColumns* head,
                               size_t lend_above = kLendAbove);

// At least the bytes that the record adds to a frame, its run's entry included.
size_t ColumnsSizeBound(const TopicPartition& tp, const ports::Record& record);

}  // namespace datapy_kafka::rpc
