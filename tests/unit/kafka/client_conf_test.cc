// What clients are configured with unless someone says otherwise.
#include "kafka/client_conf.h"

#include <gtest/gtest.h>

namespace datapy_kafka::kafka {
namespace {

config::SessionOptions Session() {
  config::SessionOptions options;
  options.connection.bootstrap_servers = "localhost:9092";
  options.topics = {"t"};
  options.group_id = "g";
  return options;
}

// With librdkafka's ten seconds a few cuts in a row outlast a session time-out
// of six, and the group takes the partitions away.
TEST(ClientConfTest, ACutConnectionIsTriedAgainWithinASecond) {
  config::SessionOptions options = Session();
  EXPECT_EQ(GetSetting(ConsumerConf(options)->get(), "reconnect.backoff.max.ms"), "1000");
  EXPECT_EQ(GetSetting(ProducerConf(options.connection, {}, 1 << 20)->get(), "reconnect.backoff.max.ms"),
            "1000");
  options.properties["reconnect.backoff.max.ms"] = "5000";
  EXPECT_EQ(GetSetting(ConsumerConf(options)->get(), "reconnect.backoff.max.ms"), "5000");
}

}  // namespace
}  // namespace datapy_kafka::kafka
