#include "unit/delivery/history.h"

#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "unit/delivery/event_text.h"

namespace datapy_kafka::delivery {
namespace {

MachineOptions RandomOptions(Chooser& choose) {
  MachineOptions options;
  options.failure_mode = static_cast<FailureMode>(1 + choose.Below(3));
  options.max_retries = choose.Below(3);
  options.backoff = {absl::Milliseconds(choose.Below(30)), absl::Milliseconds(40)};
  options.max_in_flight_records = 1 + choose.Below(10);
  options.max_in_flight_bytes = 1 + choose.Below(40);
  options.drain_timeout = absl::Milliseconds(200);
  options.revoke_timeout = absl::Milliseconds(100);
  options.slow_start_step = absl::Milliseconds(50);
  // Which of two partitions times out first is not defined, and so not with stop.
  if (options.failure_mode != FailureMode::kStop && choose.Below(3) == 0) {
    options.ack_timeout = absl::Milliseconds(30 + choose.Below(60));
  }
  return options;
}

class Generator {
 public:
  explicit Generator(Chooser& choose) : choose_(choose) {}

  Event Next(const ReferenceModel& model) {
    const uint32_t kind = choose_.Below(100);
    if (kind < 30) return RandomPolled();
    if (kind < 60) return RandomAcked(model);
    if (kind < 75) return Outcomes(model);
    if (kind < 82) return RandomAssigned();
    if (kind < 86) return Revoked{{RandomPartition()}, choose_.Below(4) == 0};
    if (kind < 88) return Revoked{{RandomPartition(), RandomPartition()}};
    if (kind < 91) return Released{model.last_revocation() + choose_.Below(2)};
    if (kind < 94) {
      const TopicPartition tp = RandomPartition();
      return PositionReached{tp, next_[tp] + choose_.Below(3)};
    }
    if (kind < 98) return Tick{};
    if (kind < 99)
      return Drain{choose_.Below(2) == 0 ? DrainCause::kClient : DrainCause::kShutdown,
                   absl::Milliseconds(50 + choose_.Below(300))};
    if (choose_.Below(3) == 0) return ClientDone{};
    return Tick{};
  }

  Event RandomAssigned() {
    Assigned assigned;
    const TopicPartition tp = RandomPartition();
    if (choose_.Below(3) > 0) next_[tp] = Offset(choose_.Below(50));
    assigned.partitions.push_back({tp, choose_.Below(2) == 0 ? next_[tp] : kNoOffset});
    return assigned;
  }

 private:
  TopicPartition RandomPartition() {
    static const TopicPartition kPartitions[] = {{"orders", 0}, {"orders", 1}, {"returns", 0}};
    return kPartitions[choose_.Below(3)];
  }

  Event RandomPolled() {
    Polled polled;
    polled.tp = RandomPartition();
    Offset& next = next_[polled.tp];
    if (choose_.Below(60) == 0) next = Offset(choose_.Below(20));  // a truncated log
    const uint32_t count = 1 + choose_.Below(6);
    for (uint32_t i = 0; i < count; ++i) {
      next = next + (choose_.Below(4) == 0 ? choose_.Below(4) : 0);
      polled.records.push_back({next, kNoLeaderEpoch, choose_.Below(12), std::make_shared<int>(0)});
      ++next;
    }
    return polled;
  }

  DeliveryId RandomId(const ReferenceModel& model) {
    const uint64_t next = model.next_id();
    const uint64_t back = choose_.Below(12);
    return DeliveryId(back > next ? 0 : next - back);
  }

  Event RandomAcked(const ReferenceModel& model) {
    Acked acked;
    for (uint32_t i = choose_.Below(4); i > 0; --i) {
      const DeliveryId first = RandomId(model);
      DeliveryId last = first + choose_.Below(4);
      if (choose_.Below(100) == 0) last = DeliveryId(std::numeric_limits<uint64_t>::max());
      acked.ranges.push_back({first, last});
    }
    for (uint32_t i = choose_.Below(6); i > 3; --i) {
      acked.nacks.push_back({RandomId(model), "failed", choose_.Below(10) == 0});
    }
    return acked;
  }

  Event Outcomes(const ReferenceModel& model) {
    CommitSettled finished;
    for (const PartitionOffset& position : model.on_the_wire()) {
      if (choose_.Below(20) == 0) continue;
      const uint32_t verdict = choose_.Below(8);
      finished.outcomes.push_back(
          {position, verdict > 3 ? CommitVerdict::kDone : static_cast<CommitVerdict>(verdict)});
    }
    if (model.on_the_wire().empty()) return Tick{};
    return finished;
  }

  Chooser& choose_;
  std::map<TopicPartition, Offset> next_;
};

// Feeds one machine and its reference.
class Pair {
 public:
  explicit Pair(const MachineOptions& options) : machine_(options), model_(options) {}

  std::string Feed(const Step& step) {
    now_ += step.wait;
    const std::vector<Action> actions = machine_.Handle(now_, step.event);
    std::string wrong = model_.Check(now_, step.event, actions, machine_);
    if (wrong.empty()) return wrong;
    for (const Action& action : actions) absl::StrAppend(&wrong, "\n  => ", ToText(action));
    return wrong;
  }

  const ReferenceModel& model() const { return model_; }
  bool finished() const { return machine_.state() == MachineState::kFinished; }

 private:
  absl::Time now_ = absl::UnixEpoch();
  DeliveryMachine machine_;
  ReferenceModel model_;
};

}  // namespace

std::string History::ToText() const {
  static constexpr const char* kModes[] = {"continue", "retry", "stop"};
  std::string text = absl::StrCat(
      "options mode=", kModes[static_cast<int>(options.failure_mode) - 1], " retries=", options.max_retries,
      " backoff=", absl::FormatDuration(options.backoff[0]), ",", absl::FormatDuration(options.backoff[1]),
      " window=", options.max_in_flight_records, " bytes=", options.max_in_flight_bytes,
      " drain_timeout=200ms revoke_timeout=100ms slow_start_step=50ms");
  if (options.ack_timeout) absl::StrAppend(&text, " ack_timeout=", absl::FormatDuration(*options.ack_timeout));
  for (const Step& step : steps) {
    if (step.wait > absl::ZeroDuration()) absl::StrAppend(&text, "\nwait ", absl::FormatDuration(step.wait));
    absl::StrAppend(&text, "\n", delivery::ToText(step.event));
  }
  return text + "\n";
}

std::string RunRandom(Chooser& choose, size_t length, History* history) {
  history->options = RandomOptions(choose);
  history->steps.clear();
  Pair pair(history->options);
  Generator generator(choose);
  while (history->steps.size() < length && !choose.done() && !pair.finished()) {
    Step step;
    step.wait = absl::Milliseconds(1 + choose.Below(choose.Below(8) == 0 ? 80 : 4));
    step.event = history->steps.empty() ? generator.RandomAssigned() : generator.Next(pair.model());
    history->steps.push_back(step);
    if (std::string wrong = pair.Feed(step); !wrong.empty()) return wrong;
  }
  // However it went, it must come to an end with an exact last commit.
  for (const Event& event : {Event(Drain{}), Event(Tick{}), Event(ClientDone{}), Event(Tick{})}) {
    history->steps.push_back({absl::Milliseconds(60), event});
    if (std::string wrong = pair.Feed(history->steps.back()); !wrong.empty()) return wrong;
  }
  return pair.finished() ? "" : "not finished after the client was done";
}

std::string Replay(const History& history) {
  Pair pair(history.options);
  for (const Step& step : history.steps) {
    if (std::string wrong = pair.Feed(step); !wrong.empty()) return wrong;
  }
  return "";
}

History Shrink(History history) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t i = history.steps.size(); i-- > 0;) {
      History without = history;
      if (i + 1 < without.steps.size()) without.steps[i + 1].wait += without.steps[i].wait;
      without.steps.erase(without.steps.begin() + static_cast<std::ptrdiff_t>(i));
      if (Replay(without).empty()) continue;
      history = std::move(without);
      smaller = true;
    }
  }
  return history;
}

}  // namespace datapy_kafka::delivery
