#include "columns_encoder.h"

#include <google/protobuf/wire_format_lite.h>

#include <optional>
#include <utility>

#include "absl/strings/string_view.h"
#include "utf8.h"
#include "wire_writer.h"

namespace datapy_kafka::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using Field = std::optional<absl::string_view> ports::Record::*;
using Nulls = google::protobuf::RepeatedField<uint32_t>;

// Keys or values: how they are written, which one pass over them tells.
struct Column {
  Field field;
  uint32_t tag;
  bool any = false;  // an entry that is not null
  size_t bytes = 0;  // on the wire
  size_t lent = 0;   // of these
};

constexpr uint32_t TagOf(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

Column Look(const RecordBatch& batch, Field field, int text_field, int bytes_field, size_t lend_above,
            Nulls* nulls) {
  Column column{field, TagOf(text_field)};
  bool text = true;
  uint32_t index = 0;
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries) {
      const auto& entry = (*delivery.record).*field;
      const size_t size = entry.has_value() ? entry->size() : 0;
      column.bytes += 1 + WireWriter::VarintSize(static_cast<uint32_t>(size)) + size;
      if (size > lend_above) column.lent += size;
      if (entry.has_value()) {
        column.any = true;
        text = text && IsValidUtf8(*entry);
      } else {
        nulls->Add(index);
      }
      ++index;
    }
  }
  if (!text) column.tag = TagOf(bytes_field);
  if (!column.any) {
    nulls->Clear();
    column.bytes = 0;
  }
  return column;
}

void Write(const RecordBatch& batch, const Column& column, size_t lend_above, WireWriter* out) {
  if (!column.any) return;
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries) {
      const absl::string_view entry = ((*delivery.record).*column.field).value_or("");
      out->Tag(column.tag);
      out->Varint(static_cast<uint32_t>(entry.size()));
      if (entry.size() > lend_above) {
        out->Lend(entry, delivery.record);
      } else {
        out->Copy(entry);
      }
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

// All but keys and values.
void FillHead(const RecordBatch& batch, v1::RecordColumns* out) {
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
}

}  // namespace

grpc::ByteBuffer EncodeColumns(const RecordBatch& batch, v1::RecordColumns* head, size_t lend_above) {
  static_assert(TagOf(v1::RecordColumns::kValueBytesFieldNumber) < 0x80, "a tag is reckoned as one byte");
  FillHead(batch, head);
  const Column keys = Look(batch, &ports::Record::key, v1::RecordColumns::kKeysFieldNumber,
                           v1::RecordColumns::kKeyBytesFieldNumber, lend_above, head->mutable_null_keys());
  const Column values =
      Look(batch, &ports::Record::value, v1::RecordColumns::kValuesFieldNumber,
           v1::RecordColumns::kValueBytesFieldNumber, lend_above, head->mutable_null_values());

  const auto size = static_cast<uint32_t>(head->ByteSizeLong() + keys.bytes + values.bytes);
  WireWriter out(1 + WireWriter::VarintSize(size) + size - keys.lent - values.lent);
  out.Tag(TagOf(v1::ConsumeResponse::kColumnsFieldNumber));
  out.Varint(size);
  out.Message(*head);
  Write(batch, keys, lend_above, &out);
  Write(batch, values, lend_above, &out);
  return std::move(out).Finish();
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
