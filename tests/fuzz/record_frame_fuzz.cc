// Records of hostile producers on their way to the job: whatever bytes keys,
// values and headers hold, a frame says the same as the records, in both
// layouts, and is no larger than was reckoned.
#include <fuzzer/FuzzedDataProvider.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <optional>
#include <string>

#include "datapy_kafka/v1/sidecar.pb.h"
#include "rpc/columns_encoder.h"
#include "rpc/rows_encoder.h"

namespace {

using namespace datapy_kafka;

constexpr size_t kEnvelope = 128;  // as the outbox reckons
constexpr size_t kMostBytes = 64;
constexpr size_t kMostRecords = 40;

void Require(bool condition) {
  if (!condition) std::abort();
}

// A batch and what its views point into.
struct Made {
  rpc::RecordBatch batch;
  std::deque<std::string> texts;
};

std::optional<absl::string_view> Bytes(FuzzedDataProvider& data, Made* made) {
  if (data.ConsumeBool()) return std::nullopt;
  return made->texts.emplace_back(data.ConsumeRandomLengthString(kMostBytes));
}

ports::RecordPtr MakeRecord(FuzzedDataProvider& data, Made* made) {
  ports::Record record;
  record.offset = Offset(data.ConsumeIntegralInRange<int64_t>(0, INT64_MAX));
  record.timestamp_ms = data.ConsumeIntegral<int64_t>();
  record.timestamp_type = static_cast<ports::TimestampType>(data.ConsumeIntegralInRange<int>(0, 2));
  record.key = Bytes(data, made);
  record.value = Bytes(data, made);
  for (int left = data.ConsumeIntegralInRange<int>(0, 3); left > 0; --left) {
    const absl::string_view name = made->texts.emplace_back(data.ConsumeRandomLengthString(kMostBytes));
    record.headers.push_back({name, Bytes(data, made)});
  }
  return std::make_shared<const ports::Record>(std::move(record));
}

void Fill(FuzzedDataProvider& data, Made* made) {
  made->batch.first_id = DeliveryId(data.ConsumeIntegralInRange<uint64_t>(1, UINT64_MAX / 2));
  while (data.remaining_bytes() > 0 && made->batch.records < kMostRecords) {
    if (made->batch.runs.empty() || data.ConsumeBool()) {
      made->batch.runs.push_back({{data.ConsumeBool() ? "orders" : "t", data.ConsumeIntegral<int32_t>()}, {}});
    }
    const uint32_t attempt = data.ConsumeBool() ? 1 : data.ConsumeIntegralInRange<uint32_t>(1, UINT32_MAX);
    made->batch.runs.back().deliveries.push_back({MakeRecord(data, made), attempt});
    ++made->batch.records;
  }
}

// A column's entry of a record, however the column was written.
template <typename Texts, typename Nulls>
std::optional<absl::string_view> Entry(const Texts& text, const Texts& bytes, const Nulls& nulls, int index) {
  Require(text.empty() || bytes.empty());
  const Texts& column = text.empty() ? bytes : text;
  if (column.empty()) return std::nullopt;
  for (const uint32_t null : nulls) {
    if (null == static_cast<uint32_t>(index)) return std::nullopt;
  }
  Require(index < column.size());
  return absl::string_view(column[index]);
}

void CheckColumns(const rpc::RecordBatch& batch, size_t lend_above) {
  size_t bound = 0;
  for (const auto& run : batch.runs) {
    for (const auto& one : run.deliveries) bound += rpc::ColumnsSizeBound(run.tp, *one.record);
  }
  v1::RecordColumns head;
  grpc::ByteBuffer encoded = rpc::EncodeColumns(batch, &head, lend_above);
  Require(encoded.Length() <= bound + kEnvelope);
  v1::ConsumeResponse received;
  Require(grpc::SerializationTraits<google::protobuf::Message>::Deserialize(&encoded, &received).ok());
  const v1::RecordColumns& got = received.columns();
  Require(got.first_delivery_id() == batch.first_id.value());
  int index = 0;
  int run_index = 0;
  uint32_t left = 0;
  int headers = 0;
  int attempts = 0;
  for (const auto& run : batch.runs) {
    for (const auto& one : run.deliveries) {
      while (left == 0) left = got.runs(run_index++).count();
      --left;
      const v1::RecordRun& of = got.runs(run_index - 1);
      Require(of.topic() == run.tp.topic && of.partition() == run.tp.partition);
      Require(static_cast<int>(of.timestamp_type()) == static_cast<int>(one.record->timestamp_type));
      Require(got.offsets(index) == one.record->offset.value());
      Require(got.timestamps_ms(index) == one.record->timestamp_ms);
      Require(Entry(got.keys(), got.key_bytes(), got.null_keys(), index) == one.record->key);
      Require(Entry(got.values(), got.value_bytes(), got.null_values(), index) == one.record->value);
      if (!one.record->headers.empty()) {
        const v1::RecordHeaders& some = got.headers(headers++);
        Require(some.index() == static_cast<uint32_t>(index));
        Require(some.headers_size() == static_cast<int>(one.record->headers.size()));
      }
      if (one.attempt > 1) Require(got.attempts(attempts++).attempt() == one.attempt);
      ++index;
    }
  }
  Require(got.offsets_size() == index && got.headers_size() == headers && got.attempts_size() == attempts);
}

void CheckRows(const rpc::RecordBatch& batch) {
  size_t bound = 0;
  for (const auto& run : batch.runs) {
    for (const auto& one : run.deliveries) bound += rpc::RowsSizeBound(run.tp, *one.record);
  }
  v1::RecordRows encoded;
  rpc::EncodeRows(batch, &encoded);
  std::string bytes;
  Require(encoded.SerializeToString(&bytes));
  Require(bytes.size() <= bound + kEnvelope);
  v1::RecordRows got;
  Require(got.ParseFromString(bytes));
  int index = 0;
  for (const auto& run : batch.runs) {
    for (const auto& one : run.deliveries) {
      const v1::RecordRow& row = got.records(index);
      Require(row.delivery_id() == batch.first_id.value() + static_cast<uint64_t>(index));
      Require(row.topic() == run.tp.topic && row.partition() == run.tp.partition);
      Require(row.has_key() == one.record->key.has_value() && row.key() == one.record->key.value_or(""));
      Require(row.has_value() == one.record->value.has_value() &&
              row.value() == one.record->value.value_or(""));
      Require(row.headers_size() == static_cast<int>(one.record->headers.size()));
      ++index;
    }
  }
  Require(got.records_size() == index);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider provider(data, size);
  Made made;
  Fill(provider, &made);
  for (const size_t lend_above : {size_t{0}, size_t{20}, kMostBytes}) CheckColumns(made.batch, lend_above);
  CheckRows(made.batch);
  return 0;
}
