// Keeps commits away from the joining of a cooperative group.
//
// A cooperative member commits while its group rebalances. A commit that is sent
// behind its JoinGroup is answered with ILLEGAL_GENERATION, because the broker
// takes up the next request of a connection only after the JoinGroup is
// answered, and librdkafka then gives up the whole assignment as lost
// (librdkafka issue 4059, from 1.6.0 until 2.10): everything in flight comes
// again. So nothing is committed from the sending of a JoinGroup until the
// rebalance it leads to is known. Between librdkafka's decision to join and the
// sending there is some tenth of a millisecond in which a commit may slip
// behind: commits keep a distance, so that it seldom does.
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

  // Has librdkafka tell this gate what is sent. It must outlive the client.
  void Install(rd_kafka_conf_t* conf);

  // The group has told the outcome of the rebalance: the joining is over.
  void RebalanceSeen() { joining_.store(false, std::memory_order_relaxed); }
  void CommitSent(absl::Time now) { last_commit_ = now; }

  // Whether a JoinGroup is on its way.
  bool joining() const { return joining_.load(std::memory_order_relaxed); }
  // Whether a commit that nobody waits for has to wait.
  bool Closed(absl::Time now) const { return joining() || now < last_commit_ + kDistance; }

 private:
  static constexpr absl::Duration kDistance = absl::Milliseconds(100);

  static rd_kafka_resp_err_t OnNew(rd_kafka_t* rk, const rd_kafka_conf_t* conf, void* gate, char* text,
                                   size_t size);
  static rd_kafka_resp_err_t OnSent(rd_kafka_t* rk, int socket, const char* broker, int32_t broker_id,
                                    int16_t api, int16_t version, int32_t correlation, size_t size, void* gate);

  absl::Time last_commit_ = absl::InfinitePast();
  std::atomic<bool> joining_{false};  // set by librdkafka's threads
};

}  // namespace datapy_kafka::kafka
