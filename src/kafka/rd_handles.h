// Move-only holders of librdkafka's objects.
//
// A holder frees what it holds with librdkafka's own call. rd_kafka_t has none
// here: closing a client may block, see client.h.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace datapy_kafka::kafka {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using ConfPtr = std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_destroy>>;
using QueuePtr = std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_destroy>>;
using EventPtr = std::unique_ptr<rd_kafka_event_t, FreeWith<rd_kafka_event_destroy>>;
using RdErrorPtr = std::unique_ptr<rd_kafka_error_t, FreeWith<rd_kafka_error_destroy>>;
using HeadersPtr = std::unique_ptr<rd_kafka_headers_t, FreeWith<rd_kafka_headers_destroy>>;
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, FreeWith<rd_kafka_topic_destroy>>;
using PartitionListPtr =
    std::unique_ptr<rd_kafka_topic_partition_list_t, FreeWith<rd_kafka_topic_partition_list_destroy>>;

inline PartitionListPtr NewPartitionList(size_t capacity) {
  return PartitionListPtr(rd_kafka_topic_partition_list_new(static_cast<int>(capacity)));
}

}  // namespace datapy_kafka::kafka
