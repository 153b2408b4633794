// Events and actions of the delivery core as lines of text: what scenarios are
// written in, and how a failing random history is printed so that it can be
// pasted into one.
//
//   assign orders[0]@5            revoke orders[0]        lost orders[0]
//   poll orders[0] 5 6 9/100:3    (offset, /bytes, :leader epoch)
//   position orders[0]@10         ack 1-3 5 nack 4 "why" stopping 6 "why"
//   release 1                     committed orders[0]@6 retry:orders[1]@3
//   drain client 5s               done                    tick
#pragma once

#include <string>

#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::delivery {

// Parses an event; aborts the test with the line when it cannot.
Event ParseEvent(const std::string& line);
std::string ToText(const Event& event);
std::string ToText(const Action& action);

TopicPartition ParsePartition(const std::string& text);
PartitionOffset ParsePosition(const std::string& text);
std::string ToText(const PartitionOffset& position);
std::string ToText(const std::vector<PartitionOffset>& positions);
const char* ToText(MachineState state);

}  // namespace datapy_kafka::delivery
