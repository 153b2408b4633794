// Records as one message each, the layout that people read.
//
// Pure; any thread, one at a time for each `out`.
#pragma once

#include <cstddef>

#include "datapy_kafka/v1/sidecar.pb.h"
#include "record_batch.h"

namespace datapy_kafka::rpc {

// Fills `out`, which may have been used before: what it holds is cleared and
// its memory used again.
void EncodeRows(const RecordBatch& batch, v1::RecordRows* out);

// At least the bytes that the record adds to a frame.
size_t RowsSizeBound(const TopicPartition& tp, const ports::Record& record);

}  // namespace datapy_kafka::rpc
