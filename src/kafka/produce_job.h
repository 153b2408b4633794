// A batch on its way through a Producer.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/ports/record_sink.h"
#include "kafka/error_translation.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

struct ProduceJob;

// What librdkafka carries with a record: its batch, and by its place in the
// batch's array which record of it.
struct RecordSlot {
  ProduceJob* job = nullptr;
};

// The producer's thread alone, once queued. Lives, with the bytes that
// librdkafka points into, until every record that librdkafka took is reported.
struct ProduceJob {
  ports::ProduceBatch batch;
  ports::RecordSink::Done done;  // null when called
  absl::Time deadline;
  std::vector<RecordSlot> slots;
  size_t next = 0;         // the first record that librdkafka has not been given
  size_t outstanding = 0;  // given and not reported
  ports::ProduceResult result;
  // kDelivered: which records have an outcome.
  std::vector<bool> settled;
  HeadersPtr headers;  // the batch's, copied into each record

  bool all_given() const { return next == batch.records.size(); }
  bool answered() const { return done == nullptr; }
  // Nothing of it is left to happen.
  bool over() const { return all_given() && outstanding == 0; }

  // Makes room for the outcomes, once.
  void Prepare();
  // The record, of so many bytes of key and value, is written. The record itself
  // is not looked at: it has left the processor's caches by now.
  void Settle(size_t index, size_t bytes, int32_t partition, int64_t offset);
  void Fail(size_t index, const TranslatedError& error);
  // Calls `done`, once.
  void Answer(uint64_t earlier_failures);
};

// Null and empty values are kept apart.
void AddHeader(rd_kafka_headers_t* headers, const ports::Header& header);

}  // namespace datapy_kafka::kafka
