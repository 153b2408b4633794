// Reads small files whole, with errors that a user can act on.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace datapy_kafka::config {

// The file's bytes. kInvalidArgument, with the file, when it is missing, not
// readable, no regular file or larger than `max_bytes`. `what` names it in the
// error: "the configuration".
absl::StatusOr<std::string> ReadTextFile(const std::string& path, absl::string_view what, size_t max_bytes);

}  // namespace datapy_kafka::config
