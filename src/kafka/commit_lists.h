// Offsets to commit and what became of them, to and from librdkafka's lists.
#pragma once

#include <string>
#include <vector>

#include "datapy_kafka/ports/record_source.h"
#include "kafka/client.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

PartitionListPtr ToCommitList(const std::vector<PartitionOffset>& positions);

// One outcome a position. `list` holds an error for each partition, `code` one
// for all when the request itself failed; `list` may be null then.
std::vector<ports::CommitOutcome> ToOutcomes(const Client& client,
                                             const std::vector<PartitionOffset>& positions,
                                             const rd_kafka_topic_partition_list_t* list,
                                             rd_kafka_resp_err_t code);

}  // namespace datapy_kafka::kafka
