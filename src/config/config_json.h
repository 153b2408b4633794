// Reads the text of a configuration file.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/v1/config.pb.h"

namespace datapy_kafka::config {

// `text`: JSON of SidecarConfig. kInvalidArgument: one line that says what is
// wrong and where. It holds no value of the file, which may be a password that
// stands where its source belongs.
absl::StatusOr<v1::SidecarConfig> ParseConfigJson(absl::string_view text);

}  // namespace datapy_kafka::config
