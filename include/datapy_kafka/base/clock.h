// Time, so that tests can hold it still.
//
// Code that decides takes `absl::Time now` as an argument; only the engine and
// the adapters ask a Clock. Thread-safe.
#pragma once

#include "absl/time/time.h"

namespace datapy_kafka {

// A source of the current time, which never goes back.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The process's clock: the wall time at the start plus steady time since.
  static const Clock& Steady();
};

}  // namespace datapy_kafka
