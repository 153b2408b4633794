// A record as it came from Kafka, without a copy of its bytes.
//
// Made by an adapter, which keeps what the views point into alive through
// `owner`. Immutable once shared: read on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <vector>

#include "absl/strings/string_view.h"
#include "datapy_kafka/base/types.h"

namespace datapy_kafka::ports {

// Values equal those of the API's TimestampType.
enum class TimestampType : int { kNone = 0, kCreateTime = 1, kLogAppendTime = 2 };

// A header; names may repeat and order counts. A null value is not an empty one.
struct Header {
  absl::string_view name;
  std::optional<absl::string_view> value;
};

struct Record {
  Offset offset = kNoOffset;
  int32_t leader_epoch = kNoLeaderEpoch;
  int64_t timestamp_ms = -1;
  TimestampType timestamp_type = TimestampType::kNone;
  std::optional<absl::string_view> key;    // null is not empty
  std::optional<absl::string_view> value;  // null: a tombstone
  std::vector<Header> headers;
  // Frees what the views point into.
  std::unique_ptr<void, void (*)(void*)> owner{nullptr, [](void*) {}};

  // Keys, values, header names and values: what flow control counts.
  size_t SizeBytes() const {
    size_t size = key.value_or("").size() + value.value_or("").size();
    for (const Header& header : headers) size += header.name.size() + header.value.value_or("").size();
    return size;
  }
};

using RecordPtr = std::shared_ptr<const Record>;

}  // namespace datapy_kafka::ports
