// Random histories of events for the delivery core, run against the reference.
//
// What happens is drawn from a Chooser, so that seeds (model_test) and bytes
// (delivery_fuzz) make histories in the same way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "datapy_kafka/delivery/machine.h"
#include "unit/delivery/reference_model.h"

namespace datapy_kafka::delivery {

class Chooser {
 public:
  virtual ~Chooser() = default;
  // 0 to n - 1.
  virtual uint32_t Below(uint32_t n) = 0;
  // No more choices: the history ends here.
  virtual bool done() const { return false; }
};

struct Step {
  absl::Duration wait;
  Event event;
};

struct History {
  MachineOptions options;
  std::vector<Step> steps;

  std::string ToText() const;
};

// Makes a history of up to `length` events and runs it. Returns what is wrong,
// or nothing; `history` has the events up to there.
std::string RunRandom(Chooser& chooser, size_t length, History* history);

// Runs a history again.
std::string Replay(const History& history);

// Leaves out what is not needed for a failure.
History Shrink(History history);

}  // namespace datapy_kafka::delivery
