// Keeps commits away from the joining of a cooperative group.
//
// A cooperative member commits while its group rebalances. A commit that is sent
// behind its JoinGroup is answered with ILLEGAL_GENERATION, because the broker
// takes up the next request of a connection only after the JoinGroup is
// answered, and librdkafka then gives up the whole assignment as lost
// (librdkafka issue 4059, from 1.6.0 until 2.10): everything in flight comes
// again. So nothing is committed from the sending of a JoinGroup until the
// rebalance it leads to is known, nor just when one is likely to follow.
//
// Owned by a Consumer and used on its thread, but for what librdkafka calls.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

class CommitGate {
 public:
  // Whether this librdkafka needs it, with this setting of
  // partition.assignment.strategy.
  static bool IsNeeded(const rd_kafka_conf_t* conf);

  CommitGate() = default;
  CommitGate(const CommitGate&) = delete;
  CommitGate& operator=(const CommitGate&) = delete;

  // Has librdkafka tell this gate what is sent. It lives as long as the client.
  void Install(rd_kafka_conf_t* conf);

  // The group has told the outcome of the rebalance: the joining is over.
  void RebalanceSeen() { joining_.store(false, std::memory_order_relaxed); }
  // Partitions were given up: the member joins again.
  void JoinFollows(absl::Time now) { closed_until_ = now + kMoment; }

  // Whether a commit has to wait.
  bool Closed(absl::Time now) const;

 private:
  // How long librdkafka may take from knowing of a rebalance to its JoinGroup.
  static constexpr absl::Duration kMoment = absl::Milliseconds(50);

  static rd_kafka_resp_err_t OnNew(rd_kafka_t* rk, const rd_kafka_conf_t* conf, void* gate, char* text,
                                   size_t size);
  static rd_kafka_resp_err_t OnSent(rd_kafka_t* rk, int socket, const char* broker, int32_t broker_id,
                                    int16_t api, int16_t version, int32_t correlation, size_t size, void* gate);
  static rd_kafka_resp_err_t OnReceived(rd_kafka_t* rk, int socket, const char* broker, int32_t broker_id,
                                        int16_t api, int16_t version, int32_t correlation, size_t size,
                                        int64_t round_trip, rd_kafka_resp_err_t error, void* gate);

  absl::Time closed_until_ = absl::InfinitePast();
  std::atomic<bool> joining_{false};      // set by librdkafka's threads
  std::atomic<int64_t> heartbeat_ns_{0};  // when the last was answered, likewise
};

}  // namespace datapy_kafka::kafka
