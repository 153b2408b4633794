#include "kafka/record_view.h"

#include <utility>

namespace datapy_kafka::kafka {
namespace {

struct HeldRecord : ports::Record {
  std::shared_ptr<Client> client;

  HeldRecord() = default;
  // The message goes before the client that it came from.
  ~HeldRecord() { owner.reset(); }
};

std::optional<absl::string_view> View(const void* bytes, size_t size) {
  // librdkafka points into its buffer for what is empty, and nowhere for null.
  if (bytes == nullptr) return std::nullopt;
  return absl::string_view(static_cast<const char*>(bytes), size);
}

ports::TimestampType TypeOf(rd_kafka_timestamp_type_t type) {
  switch (type) {
    case RD_KAFKA_TIMESTAMP_CREATE_TIME:
      return ports::TimestampType::kCreateTime;
    case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME:
      return ports::TimestampType::kLogAppendTime;
    default:
      return ports::TimestampType::kNone;
  }
}

}  // namespace

ports::RecordPtr MakeRecord(rd_kafka_message_t* message, std::shared_ptr<Client> client) {
  auto record = std::make_shared<HeldRecord>();
  record->client = std::move(client);
  record->owner = {message,
                   [](void* owned) { rd_kafka_message_destroy(static_cast<rd_kafka_message_t*>(owned)); }};
  record->offset = Offset(message->offset);
#if RD_KAFKA_VERSION >= 0x020100ff
  record->leader_epoch = rd_kafka_message_leader_epoch(message);
#endif
  rd_kafka_timestamp_type_t timestamp_type;
  record->timestamp_ms = rd_kafka_message_timestamp(message, &timestamp_type);
  record->timestamp_type = TypeOf(timestamp_type);
  record->key = View(message->key, message->key_len);
  record->value = View(message->payload, message->len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const size_t count = rd_kafka_header_cnt(headers);
    record->headers.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const char* name = nullptr;
      const void* value = nullptr;
      size_t size = 0;
      if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) break;
      record->headers.push_back({name, View(value, size)});
    }
  }
  return record;
}

}  // namespace datapy_kafka::kafka
