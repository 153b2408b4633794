// Sets the daemon's log up: spdlog's default logger, to stderr.
//
// Two formats, one line an event, UTC with milliseconds:
//   tab   2026-01-31 10:15:30.123 <tab> INFO <tab> kafka_sidecar <tab> message
//         the columns of DataPy's own log
//   json  {"ts":"2026-01-31T10:15:30.123Z","level":"info","logger":"kafka_sidecar","message":"..."}
// Line breaks, tabs and control characters in a message are escaped in both.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace datapy_kafka::telemetry {

// `level`: debug, info, warning, error. `format`: tab, json. kInvalidArgument
// names what is accepted. Once, on the main thread, before others log.
absl::Status SetUpLogging(absl::string_view level, absl::string_view format);

}  // namespace datapy_kafka::telemetry
