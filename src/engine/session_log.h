// What a session writes to the log: one line for every change of state, failed
// records at most ten a second, and a line that says which were left out.
//
// Owned by a session, on its engine thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::engine {

class SessionLog {
 public:
  explicit SessionLog(std::string session_id) : session_id_(std::move(session_id)) {}

  void Started(const config::SessionOptions& options);
  void Assigned(const std::vector<PartitionOffset>& partitions);
  void Revoked(const std::vector<TopicPartition>& partitions, bool lost);
  void Trouble(const absl::Status& status, bool fatal);
  void RecordFailed(const delivery::ReportFailure& failure, absl::Time now);
  // Tells of the failed records that no line named, a second after the first line
  // of those that did.
  void KeepHouse(absl::Time now);
  void CommitFailed(const absl::Status& status);
  void CommitDelayed(const absl::Status& status);
  void Draining(delivery::DrainCause cause, absl::Duration timeout, size_t in_flight);
  void Ended(const delivery::Finish& finish, const delivery::Totals& totals, absl::Duration lasted,
             bool closed_in_time);

 private:
  // Failed records of a partition that no line named.
  struct LeftOut {
    Offset first;
    Offset last;
    uint64_t count = 0;
  };

  void TellLeftOut();

  const std::string session_id_;
  absl::Time second_began_ = absl::InfinitePast();
  int lines_this_second_ = 0;
  std::map<TopicPartition, LeftOut> left_out_;
};

// "the daemon is stopping", for logs.
std::string Describe(delivery::DrainCause cause);

}  // namespace datapy_kafka::engine
