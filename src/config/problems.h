// Gathers everything that is wrong with some input, so that a user mends it in
// one go. A plain value, any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::config {

class Problems {
 public:
  template <typename... Parts>
  void Add(const Parts&... parts) {
    list_.push_back(absl::StrCat(parts...));
  }
  bool empty() const { return list_.empty(); }

  // OK without problems, else all of them in one sentence each.
  absl::Status ToStatus(ErrorReason reason) const {
    if (list_.empty()) return absl::OkStatus();
    return ErrorBuilder(reason).Build(absl::StrJoin(list_, "; "));
  }

 private:
  std::vector<std::string> list_;
};

}  // namespace datapy_kafka::config
