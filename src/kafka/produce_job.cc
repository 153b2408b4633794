#include "kafka/produce_job.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace datapy_kafka::kafka {

void AddHeader(rd_kafka_headers_t* headers, const ports::Header& header) {
  const absl::string_view value = header.value.value_or("");
  rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                      header.value.has_value() ? value.data() : nullptr, static_cast<ssize_t>(value.size()));
}

void ProduceJob::Prepare() {
  const size_t count = batch.records.size();
  if (slots.size() == count) return;
  slots.assign(count, RecordSlot{this});
  settled.assign(count, false);
  if (batch.mode == ports::ProduceMode::kDelivered) {
    result.partitions.assign(count, -1);
    result.offsets.assign(count, -1);
  }
  if (batch.headers.empty()) return;
  headers.reset(rd_kafka_headers_new(batch.headers.size()));
  for (const ports::Header& header : batch.headers) AddHeader(headers.get(), header);
}

void ProduceJob::Settle(size_t index, size_t bytes, int32_t partition, int64_t offset) {
  if (answered()) return;
  settled[index] = true;
  ++result.succeeded;
  result.bytes += bytes;
  if (batch.mode != ports::ProduceMode::kDelivered) return;
  result.partitions[index] = partition;
  result.offsets[index] = offset;
}

void ProduceJob::Fail(size_t index, const TranslatedError& error) {
  if (answered()) return;
  settled[index] = true;
  result.failures.push_back({static_cast<uint32_t>(index), error.reason,
                             absl::StrCat("topic ", batch.topic, ": ", error.message), error.retriable});
}

void ProduceJob::Answer(uint64_t earlier_failures) {
  if (answered()) return;
  result.earlier_failures = earlier_failures;
  std::exchange(done, nullptr)(std::move(result));
}

}  // namespace datapy_kafka::kafka
