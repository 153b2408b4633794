// Tells systemd (Type=notify) how the daemon is; nothing without systemd.
//
//   NotifyServiceManager("READY=1\nSTATUS=serving");
//
// Any thread; does not block and does not fail: who does not listen is not told.
#pragma once

#include "absl/strings/string_view.h"

namespace datapy_kafka {

// Sends `state` as one datagram to $NOTIFY_SOCKET, a path or, with a leading @,
// an abstract name. False when there is none or it did not take it.
bool NotifyServiceManager(absl::string_view state);

}  // namespace datapy_kafka
