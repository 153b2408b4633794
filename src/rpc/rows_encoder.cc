#include "rows_encoder.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "utf8.h"

namespace datapy_kafka::rpc {
namespace {

// What a person wants to read at once; longer values are only bytes.
constexpr size_t kMaxValueText = 4096;

void EncodeRow(const TopicPartition& tp, const ports::Delivery& delivery, uint64_t id, v1::RecordRow* row) {
  const ports::Record& record = *delivery.record;
  row->set_delivery_id(id);
  row->set_topic(tp.topic);
  row->set_partition(tp.partition);
  row->set_offset(record.offset.value());
  row->set_timestamp_ms(record.timestamp_ms);
  row->set_timestamp_type(static_cast<v1::TimestampType>(record.timestamp_type));
  row->set_attempt(delivery.attempt);
  if (record.key.has_value()) {
    row->set_key(record.key->data(), record.key->size());
    if (!record.key->empty() && IsValidUtf8(*record.key))
      row->set_key_text(record.key->data(), record.key->size());
  }
  if (record.value.has_value()) {
    const absl::string_view value = *record.value;
    row->set_value(value.data(), value.size());
    if (!value.empty() && value.size() <= kMaxValueText && IsValidUtf8(value)) {
      row->set_value_text(value.data(), value.size());
    }
  }
  for (const ports::Header& header : record.headers) {
    v1::Header* one = row->add_headers();
    one->set_name(ToValidUtf8(header.name, header.name.size()));
    if (header.value.has_value()) one->set_value(header.value->data(), header.value->size());
  }
}

}  // namespace

void EncodeRows(const RecordBatch& batch, v1::RecordRows* out) {
  out->Clear();
  uint64_t id = batch.first_id.value();
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries)
      EncodeRow(run.tp, delivery, id++, out->add_records());
  }
}

size_t RowsSizeBound(const TopicPartition& tp, const ports::Record& record) {
  constexpr size_t kRow = 120;
  constexpr size_t kHeader = 18;
  const size_t key = record.key.value_or("").size();
  const size_t value = record.value.value_or("").size();
  size_t size = kRow + tp.topic.size() + 2 * key + value + (value <= kMaxValueText ? value : 0);
  for (const ports::Header& header : record.headers) {
    size += kHeader + header.name.size() + header.value.value_or("").size();
  }
  return size;
}

}  // namespace datapy_kafka::rpc
