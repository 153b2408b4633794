// What a record costs on its way into a frame: encoding alone, and with the
// outbox and the serialization to wire bytes.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "rpc/columns_encoder.h"
#include "rpc/outbox.h"
#include "rpc/rows_encoder.h"
#include "rpc/utf8.h"

namespace datapy_kafka::rpc {
namespace {

constexpr int kRecords = 1024;

struct Bytes {
  std::string key;
  std::string value;
};

ports::RecordPtr MakeRecord(int64_t offset, size_t value_size, bool text) {
  auto* bytes = new Bytes{"customer-" + std::to_string(offset), std::string(value_size, 'v')};
  if (!text) bytes->value[value_size / 2] = '\xFF';
  ports::Record record;
  record.owner = {bytes, [](void* owned) { delete static_cast<Bytes*>(owned); }};
  record.offset = Offset(offset);
  record.timestamp_ms = 1'700'000'000'000 + offset;
  record.key = bytes->key;
  record.value = bytes->value;
  return std::make_shared<const ports::Record>(std::move(record));
}

ports::DeliveriesFrame MakeFrame(size_t value_size, bool text) {
  ports::DeliveriesFrame frame;
  frame.tp = {"orders", 3};
  frame.first_id = DeliveryId(1'000'000);
  for (int i = 0; i < kRecords; ++i) frame.deliveries.push_back({MakeRecord(i, value_size, text), 1});
  return frame;
}

RecordBatch MakeBatch(size_t value_size, bool text) {
  ports::DeliveriesFrame frame = MakeFrame(value_size, text);
  RecordBatch batch;
  batch.first_id = frame.first_id;
  batch.records = frame.deliveries.size();
  batch.runs.push_back({frame.tp, std::move(frame.deliveries)});
  return batch;
}

void ReportPerRecord(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * kRecords);
  state.counters["s/record"] = benchmark::Counter(static_cast<double>(state.iterations()) * kRecords,
                                                  benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_EncodeColumns(benchmark::State& state) {
  const RecordBatch batch = MakeBatch(state.range(0), state.range(1) != 0);
  v1::RecordColumns head;
  for (auto _ : state) benchmark::DoNotOptimize(EncodeColumns(batch, &head));
  ReportPerRecord(state);
}
BENCHMARK(BM_EncodeColumns)->ArgNames({"bytes", "text"})->ArgsProduct({{100, 1000, 10'000}, {0, 1}});

void BM_EncodeRows(benchmark::State& state) {
  const RecordBatch batch = MakeBatch(state.range(0), true);
  v1::RecordRows rows;
  for (auto _ : state) {
    EncodeRows(batch, &rows);
    benchmark::DoNotOptimize(rows);
  }
  ReportPerRecord(state);
}
BENCHMARK(BM_EncodeRows)->ArgName("bytes")->Arg(100)->Arg(1000);

void BM_OutboxToWire(benchmark::State& state) {
  const ports::DeliveriesFrame frame = MakeFrame(state.range(0), true);
  Outbox outbox({true, 4u << 20, 1u << 20, "1.0"});
  grpc::ByteBuffer encoded;
  for (auto _ : state) {
    if (!outbox.Push(frame).ok()) return state.SkipWithError("the outbox is full");
    while (*outbox.Next(&encoded)) benchmark::DoNotOptimize(encoded);
  }
  ReportPerRecord(state);
}
BENCHMARK(BM_OutboxToWire)->ArgName("bytes")->Arg(100)->Arg(1000)->Arg(10'000);

void BM_ValidateUtf8(benchmark::State& state) {
  const std::string text(state.range(0), 'a');
  for (auto _ : state) benchmark::DoNotOptimize(IsValidUtf8(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ValidateUtf8)->Arg(16)->Arg(100)->Arg(1000)->Arg(10'000);

}  // namespace
}  // namespace datapy_kafka::rpc

BENCHMARK_MAIN();
