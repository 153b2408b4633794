// The API's Start as the options of a session.
//
// Any thread.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "convert_connection.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/rpc/backend.h"
#include "datapy_kafka/v1/sidecar.pb.h"

namespace datapy_kafka::rpc {

struct StartOptions {
  config::SessionOptions session;
  bool columns = false;
  uint64_t max_frame_bytes = 4u << 20;
};

// Applies the defaults and the daemon's bounds, and checks everything: an error
// names each field that is wrong.
absl::StatusOr<StartOptions> ConvertStart(const v1::Start& start, const config::Limits& limits,
                                          absl::Duration max_drain_timeout, Backend* backend);

}  // namespace datapy_kafka::rpc
