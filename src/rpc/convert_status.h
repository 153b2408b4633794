// The daemon's state as the answer of GetStatus.
//
// Pure, any thread.
#pragma once

#include "absl/time/time.h"
#include "datapy_kafka/ports/status.h"
#include "datapy_kafka/v1/sidecar.pb.h"

namespace datapy_kafka::rpc {

void FillStatus(const ports::DaemonStatus& status, absl::Time now, v1::GetStatusResponse* out);

}  // namespace datapy_kafka::rpc
