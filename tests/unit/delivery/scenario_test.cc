// Runs tests/scenarios/*.txt: an event a line, the expected actions below it.
//
//   # a comment
//   options mode=retry retries=2 backoff=100ms,200ms window=3 bytes=100
//   poll orders[0] 5 6
//   => deliver orders[0] 1=5 2=6
//
// Besides the events of event_text.h: `wait 5s` moves the clock, `later 5s`
// moves it and ticks, `show` prints the state. With DATAPY_KAFKA_REWRITE=1 the expected lines are
// written anew from what happens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "unit/delivery/event_text.h"

namespace datapy_kafka::delivery {
namespace {

using Lines = std::vector<std::string>;

MachineOptions ParseOptions(const std::string& line) {
  MachineOptions options;
  options.backoff = {absl::Milliseconds(100), absl::Milliseconds(200), absl::Milliseconds(400)};
  std::istringstream in(line);
  std::string word;
  in >> word;
  while (in >> word) {
    const std::pair<std::string, std::string> kv = absl::StrSplit(word, absl::MaxSplits('=', 1));
    const auto& [key, value] = kv;
    absl::Duration span;
    const bool is_span = absl::ParseDuration(value, &span);
    if (key == "mode") {
      options.failure_mode = value == "retry"  ? FailureMode::kRetry
                             : value == "stop" ? FailureMode::kStop
                                               : FailureMode::kContinue;
    } else if (key == "retries") {
      EXPECT_TRUE(absl::SimpleAtoi(value, &options.max_retries)) << line;
    } else if (key == "window") {
      EXPECT_TRUE(absl::SimpleAtoi(value, &options.max_in_flight_records)) << line;
    } else if (key == "bytes") {
      EXPECT_TRUE(absl::SimpleAtoi(value, &options.max_in_flight_bytes)) << line;
    } else if (key == "backoff") {
      options.backoff.clear();
      for (const auto part : absl::StrSplit(value, ',')) {
        EXPECT_TRUE(absl::ParseDuration(std::string(part), &span)) << line;
        options.backoff.push_back(span);
      }
    } else if (is_span && key == "ack_timeout") {
      options.ack_timeout = span;
    } else if (is_span && key == "drain_timeout") {
      options.drain_timeout = span;
    } else if (is_span && key == "revoke_timeout") {
      options.revoke_timeout = span;
    } else if (is_span && key == "reopen_delay") {
      options.reopen_delay = span;
    } else if (is_span && key == "slow_start_step") {
      options.slow_start_step = span;
    } else {
      ADD_FAILURE() << "unknown option " << word;
    }
  }
  return options;
}

class Runner {
 public:
  Lines Run(const std::string& line) {
    const std::string verb = line.substr(0, line.find(' '));
    if (verb == "options") {
      machine_ = std::make_unique<DeliveryMachine>(ParseOptions(line));
      return {};
    }
    if (!machine_) machine_ = std::make_unique<DeliveryMachine>(ParseOptions("options"));
    if (verb == "show") return Show();
    Event event = Tick{};
    if (verb == "wait" || verb == "later") {
      absl::Duration span;
      EXPECT_TRUE(absl::ParseDuration(line.substr(verb.size() + 1), &span)) << line;
      now_ += span;
      if (verb == "wait") return {};
    } else {
      event = ParseEvent(line);
    }
    Lines out;
    for (const Action& action : machine_->Handle(now_, std::move(event))) out.push_back(ToText(action));
    return out;
  }

 private:
  Lines Show() const {
    const Totals& totals = machine_->totals();
    Lines out = {absl::StrCat(ToText(machine_->state()), ", in flight ", machine_->in_flight_records(),
                              " records ", machine_->in_flight_bytes(), " bytes, free ",
                              machine_->free_records(), " records ", machine_->free_bytes(), " bytes"),
                 absl::StrCat("delivered ", totals.delivered, " acked ", totals.acked, " nacked ",
                              totals.nacked, " retried ", totals.retried, " skipped ", totals.skipped,
                              " stale ", totals.stale_acks, " commits ", totals.commits)};
    for (const PartitionView& view : machine_->partitions()) {
      out.push_back(absl::StrCat(ToString(view.tp), " committed ", view.committed.value(), " committable ",
                                 view.committable.value(), " in flight ", view.in_flight_records,
                                 view.retrying ? " retrying" : ""));
    }
    if (const auto oldest = machine_->oldest_open()) {
      out.push_back(absl::StrCat("oldest ", ToString(oldest->tp), "@", oldest->offset.value(), " id ",
                                 oldest->id.value(), " attempt ", oldest->attempt, " for ",
                                 absl::FormatDuration(now_ - oldest->delivered_at)));
    }
    if (machine_->NextDeadline() != absl::InfiniteFuture()) {
      out.push_back("wakes in " + absl::FormatDuration(machine_->NextDeadline() - now_));
    }
    out.push_back("last commits: " + ToText(machine_->last_commits()));
    return out;
  }

  absl::Time now_ = absl::UnixEpoch();
  std::unique_ptr<DeliveryMachine> machine_;
};

class ScenarioTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, HappensAsWritten) {
  const std::string path = absl::StrCat(TEST_SOURCE_DIR, "/scenarios/", GetParam(), ".txt");
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  std::string expected, actual, line;
  Runner runner;
  size_t events = 0;
  while (std::getline(in, line)) {
    absl::StrAppend(&expected, line, "\n");
    if (line.rfind("=>", 0) == 0) continue;
    absl::StrAppend(&actual, line, "\n");
    if (line.empty() || line[0] == '#') continue;
    ++events;
    for (const std::string& out : runner.Run(line)) absl::StrAppend(&actual, "=> ", out, "\n");
  }
  EXPECT_GT(events, 0u) << path;
  if (const char* rewrite = std::getenv("DATAPY_KAFKA_REWRITE"); rewrite != nullptr && rewrite[0] == '1') {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, expected) << path;
}

std::vector<std::string> Scenarios() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(absl::StrCat(TEST_SOURCE_DIR, "/scenarios"))) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, ScenarioTest, testing::ValuesIn(Scenarios()),
                         [](const auto& info) { return info.param; });

// An empty folder would pass unseen.
TEST(Scenarios, AreFound) { EXPECT_GE(Scenarios().size(), 25u); }

}  // namespace
}  // namespace datapy_kafka::delivery
