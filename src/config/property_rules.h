// Which librdkafka properties a job may set; see property_rules.cc.
#pragma once

#include "datapy_kafka/config/options.h"
#include "problems.h"

namespace datapy_kafka::config {

// Adds what is refused, for the properties of a connection.
void CheckConnectionProperties(const Properties& properties, Problems* problems);

}  // namespace datapy_kafka::config
