#include "columns_encoder.h"

#include <optional>

#include "absl/strings/string_view.h"
#include "utf8.h"

namespace datapy_kafka::rpc {
namespace {

using Field = std::optional<absl::string_view> ports::Record::*;

// What one pass over a column tells of how it is to be written.
struct ColumnShape {
  bool any = false;  // an entry that is not null
  bool text = true;
};

ColumnShape Look(const RecordBatch& batch, Field field) {
  ColumnShape shape;
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries) {
      const auto& entry = (*delivery.record).*field;
      if (!entry.has_value()) continue;
      shape.any = true;
      if (!IsValidUtf8(*entry)) return {true, false};
    }
  }
  return shape;
}

void WriteColumn(const RecordBatch& batch, Field field, google::protobuf::RepeatedPtrField<std::string>* text,
                 google::protobuf::RepeatedPtrField<std::string>* bytes,
                 google::protobuf::RepeatedField<uint32_t>* nulls) {
  const ColumnShape shape = Look(batch, field);
  if (!shape.any) return;
  auto* column = shape.text ? text : bytes;
  column->Reserve(static_cast<int>(batch.records));
  uint32_t index = 0;
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries) {
      const auto& entry = (*delivery.record).*field;
      std::string* slot = column->Add();
      if (entry.has_value()) {
        slot->assign(entry->data(), entry->size());
      } else {
        nulls->Add(index);
      }
      ++index;
    }
  }
}

void AddHeaders(const ports::Record& record, uint32_t index, v1::RecordColumns* out) {
  v1::RecordHeaders* headers = out->add_headers();
  headers->set_index(index);
  for (const ports::Header& header : record.headers) {
    v1::Header* one = headers->add_headers();
    one->set_name(ToValidUtf8(header.name, header.name.size()));
    if (header.value.has_value()) one->set_value(header.value->data(), header.value->size());
  }
}

// Consecutive records of one partition whose timestamps mean the same.
void AddToRun(const TopicPartition& tp, ports::TimestampType type, v1::RecordRun** run,
              v1::RecordColumns* out) {
  const auto wire_type = static_cast<v1::TimestampType>(type);
  if (*run == nullptr || (*run)->timestamp_type() != wire_type) {
    *run = out->add_runs();
    (*run)->set_topic(tp.topic);
    (*run)->set_partition(tp.partition);
    (*run)->set_timestamp_type(wire_type);
  }
  (*run)->set_count((*run)->count() + 1);
}

}  // namespace

void EncodeColumns(const RecordBatch& batch, v1::RecordColumns* out) {
  out->Clear();
  out->set_first_delivery_id(batch.first_id.value());
  const int records = static_cast<int>(batch.records);
  out->mutable_offsets()->Reserve(records);
  out->mutable_timestamps_ms()->Reserve(records);
  uint32_t index = 0;
  for (const RecordBatch::Run& batch_run : batch.runs) {
    v1::RecordRun* run = nullptr;
    for (const ports::Delivery& delivery : batch_run.deliveries) {
      const ports::Record& record = *delivery.record;
      AddToRun(batch_run.tp, record.timestamp_type, &run, out);
      out->add_offsets(record.offset.value());
      out->add_timestamps_ms(record.timestamp_ms);
      if (!record.headers.empty()) AddHeaders(record, index, out);
      if (delivery.attempt > 1) {
        v1::RecordAttempt* attempt = out->add_attempts();
        attempt->set_index(index);
        attempt->set_attempt(delivery.attempt);
      }
      ++index;
    }
  }
  WriteColumn(batch, &ports::Record::key, out->mutable_keys(), out->mutable_key_bytes(),
              out->mutable_null_keys());
  WriteColumn(batch, &ports::Record::value, out->mutable_values(), out->mutable_value_bytes(),
              out->mutable_null_values());
}

size_t ColumnsSizeBound(const TopicPartition& tp, const ports::Record& record) {
  // Two varints of up to ten bytes, tags and lengths of key and value, two null
  // indexes, the attempt; the run: topic, partition, count, type.
  constexpr size_t kRecord = 2 * 10 + 2 * 6 + 2 * 5 + 14;
  constexpr size_t kRun = 32;
  constexpr size_t kHeaders = 12;
  constexpr size_t kHeader = 18;
  size_t size =
      kRecord + kRun + tp.topic.size() + record.key.value_or("").size() + record.value.value_or("").size();
  if (!record.headers.empty()) size += kHeaders;
  for (const ports::Header& header : record.headers) {
    size += kHeader + header.name.size() + header.value.value_or("").size();
  }
  return size;
}

}  // namespace datapy_kafka::rpc
