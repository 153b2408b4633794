// Records whose bytes stay in librdkafka's buffers.
#pragma once

#include <memory>

#include "datapy_kafka/ports/record.h"
#include "kafka/client.h"

namespace datapy_kafka::kafka {

// Takes over `message` and holds `client` until the record is gone, as
// librdkafka requires of messages. Any thread may drop the last reference.
ports::RecordPtr MakeRecord(rd_kafka_message_t* message, std::shared_ptr<Client> client);

}  // namespace datapy_kafka::kafka
