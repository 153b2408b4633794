// The API's Connection as the daemon's options.
//
// Any thread.
#pragma once

#include <google/protobuf/map.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/rpc/backend.h"
#include "datapy_kafka/v1/sidecar.pb.h"

namespace datapy_kafka::rpc {

// What is wrong with a request, all of it in one answer.
class Problems {
 public:
  void Add(std::string problem) { problems_.push_back(std::move(problem)); }
  // Takes an error over; its reason becomes that of the answer.
  void Add(const absl::Status& status);
  bool empty() const { return problems_.empty(); }
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> problems_;
  ErrorReason reason_ = ErrorReason::kInvalidArgument;
};

// Reads `message`, resolving a name through `backend`. What is wrong goes to
// `problems`, and the result then is of no use. Values of a job's own connection
// are for ValidateConnection to judge.
config::ConnectionOptions ConvertConnection(const v1::Connection& message, Backend* backend,
                                            Problems* problems);

// ConvertConnection and ValidateConnection, for calls without further options.
absl::StatusOr<config::ConnectionOptions> CheckedConnection(bool present, const v1::Connection& message,
                                                            Backend* backend);

config::Properties ConvertProperties(const google::protobuf::Map<std::string, std::string>& properties);

}  // namespace datapy_kafka::rpc
