#include "unit/delivery/event_text.h"

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace datapy_kafka::delivery {
namespace {

template <typename Number>
Number ParseNumber(const std::string& text) {
  Number number;
  if (!absl::SimpleAtoi(text, &number)) {
    std::cerr << "not a number: '" << text << "'\n";
    std::abort();
  }
  return number;
}

absl::Duration ParseSpan(const std::string& text) {
  absl::Duration span;
  if (!absl::ParseDuration(text, &span)) {
    std::cerr << "not a duration: '" << text << "'\n";
    std::abort();
  }
  return span;
}

PolledRecord ParseRecord(const std::string& text) {
  PolledRecord record;
  const std::vector<std::string> epoch = absl::StrSplit(text, ':');
  const std::vector<std::string> size = absl::StrSplit(epoch[0], '/');
  record.offset = Offset(ParseNumber<int64_t>(size[0]));
  record.size_bytes = size.size() > 1 ? ParseNumber<size_t>(size[1]) : 1;
  if (epoch.size() > 1) record.leader_epoch = ParseNumber<int32_t>(epoch[1]);
  return record;
}

Acked ParseAcked(std::istringstream& in) {
  Acked acked;
  std::string word, mode = "ack";
  while (in >> word) {
    if (word == "nack" || word == "stopping") {
      mode = word;
      continue;
    }
    if (mode == "ack") {
      const std::vector<std::string> ends = absl::StrSplit(word, '-');
      acked.ranges.push_back(
          {DeliveryId(ParseNumber<uint64_t>(ends.front())), DeliveryId(ParseNumber<uint64_t>(ends.back()))});
    } else if (word.front() == '"') {
      acked.nacks.back().error = word.substr(1, word.size() - 2);
    } else {
      acked.nacks.push_back({DeliveryId(ParseNumber<uint64_t>(word)), "failed", mode == "stopping"});
    }
  }
  return acked;
}

CommitSettled ParseOutcomes(std::istringstream& in) {
  CommitSettled finished;
  std::string word;
  while (in >> word) {
    SettledCommit outcome;
    const std::vector<std::string> parts = absl::StrSplit(word, ':');
    if (parts[0] == "retry") outcome.verdict = CommitVerdict::kRetry;
    if (parts[0] == "stale") outcome.verdict = CommitVerdict::kStale;
    if (parts[0] == "failed") outcome.verdict = CommitVerdict::kFailed;
    outcome.position = ParsePosition(parts.back());
    finished.outcomes.push_back(outcome);
  }
  return finished;
}

const char* Name(DrainCause cause) {
  switch (cause) {
    case DrainCause::kClient:
      return "client";
    case DrainCause::kShutdown:
      return "shutdown";
    case DrainCause::kPolicy:
      return "policy";
    case DrainCause::kError:
      return "error";
  }
  return "?";
}

Drain ParseDrain(std::istringstream& in) {
  Drain drain;
  std::string cause, timeout;
  in >> cause >> timeout;
  if (cause == "shutdown") drain.cause = DrainCause::kShutdown;
  if (cause == "error") drain.cause = DrainCause::kError;
  if (!timeout.empty()) drain.timeout = ParseSpan(timeout);
  return drain;
}

std::string Partitions(const std::vector<TopicPartition>& partitions) {
  return absl::StrJoin(partitions, " ",
                       [](std::string* out, const TopicPartition& tp) { out->append(ToString(tp)); });
}

struct EventText {
  std::string operator()(const Assigned& e) { return "assign " + ToText(e.partitions); }
  std::string operator()(const Revoked& e) { return (e.lost ? "lost " : "revoke ") + Partitions(e.partitions); }
  std::string operator()(const Polled& e) {
    std::string text = "poll " + ToString(e.tp);
    for (const PolledRecord& record : e.records) {
      absl::StrAppend(&text, " ", record.offset.value(), "/", record.size_bytes);
      if (record.leader_epoch != kNoLeaderEpoch) absl::StrAppend(&text, ":", record.leader_epoch);
    }
    return text;
  }
  std::string operator()(const PositionReached& e) {
    return "position " + ToText(PartitionOffset{e.tp, e.position});
  }
  std::string operator()(const Acked& e) {
    std::string text = "ack";
    for (const AckRange& range : e.ranges)
      absl::StrAppend(&text, " ", range.first.value(), "-", range.last.value());
    for (const NackedDelivery& nack : e.nacks) {
      absl::StrAppend(&text, nack.stopping ? " stopping " : " nack ", nack.id.value());
    }
    return text;
  }
  std::string operator()(const Released& e) { return absl::StrCat("release ", e.revocation_id); }
  std::string operator()(const CommitSettled& e) {
    static constexpr const char* kVerdicts[] = {"", "retry:", "stale:", "failed:"};
    std::string text = "committed";
    for (const SettledCommit& outcome : e.outcomes) {
      absl::StrAppend(&text, " ", kVerdicts[static_cast<int>(outcome.verdict)], ToText(outcome.position));
    }
    return text;
  }
  std::string operator()(const Drain& e) {
    return absl::StrCat("drain ", Name(e.cause), " ", absl::FormatDuration(e.timeout));
  }
  std::string operator()(const ClientDone&) { return "done"; }
  std::string operator()(const Tick&) { return "tick"; }
};

const char* Name(FailureOutcome outcome) {
  switch (outcome) {
    case FailureOutcome::kSkipped:
      return "skipped";
    case FailureOutcome::kRetrying:
      return "retrying";
    case FailureOutcome::kStopping:
      return "stopping";
    case FailureOutcome::kLeft:
      return "left";
  }
  return "?";
}

struct ActionText {
  std::string operator()(const Deliver& a) {
    std::string text = "deliver " + ToString(a.tp);
    uint64_t id = a.first_id.value();
    for (const Delivered& record : a.records) {
      absl::StrAppend(&text, " ", id++, "=", record.offset.value());
      if (record.attempt != 1) absl::StrAppend(&text, "(attempt ", record.attempt, ")");
    }
    return text;
  }
  std::string operator()(const Withdraw& a) {
    return absl::StrCat("withdraw ", ToString(a.tp), " through ", a.through.value());
  }
  std::string operator()(const SetReadable& a) {
    return absl::StrCat(a.readable ? "read " : "hold ", ToString(a.tp));
  }
  std::string operator()(const NotifyAssigned& a) { return "assigned " + ToText(a.partitions); }
  std::string operator()(const NotifyRevoked& a) {
    return absl::StrCat(a.lost ? "lost" : "revoked", " #", a.revocation_id, " ", Partitions(a.partitions));
  }
  std::string operator()(const CommitOffsets& a) { return "commit " + ToText(a.positions); }
  std::string operator()(const FinishRevoke& a) { return "finish-revoke commit [" + ToText(a.positions) + "]"; }
  std::string operator()(const ReportFailure& a) {
    std::string text = absl::StrCat("failure ", ToString(a.tp), "@", a.offset.value(), " attempt ", a.attempt,
                                    " \"", a.error, "\" ", Name(a.outcome));
    if (a.outcome == FailureOutcome::kRetrying) absl::StrAppend(&text, " in ", absl::FormatDuration(a.backoff));
    return text;
  }
  std::string operator()(const NotifyDraining& a) {
    return absl::StrCat("draining ", Name(a.cause), " ", absl::FormatDuration(a.timeout));
  }
  std::string operator()(const Finish& a) {
    std::string text = absl::StrCat("finish ", Name(a.cause), " commit [", ToText(a.positions), "] unacked ",
                                    a.unacked, a.clean ? " clean" : " out of time");
    if (a.failed_record) absl::StrAppend(&text, " failed ", ToText(*a.failed_record), " \"", a.error, "\"");
    return text;
  }
};

}  // namespace

TopicPartition ParsePartition(const std::string& text) {
  const size_t open = text.find('[');
  return {text.substr(0, open), ParseNumber<int32_t>(text.substr(open + 1, text.find(']') - open - 1))};
}

PartitionOffset ParsePosition(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '@');
  PartitionOffset position{ParsePartition(parts[0])};
  if (parts.size() > 1) position.offset = Offset(ParseNumber<int64_t>(parts[1]));
  return position;
}

std::string ToText(const PartitionOffset& position) {
  std::string text = ToString(position.tp);
  if (position.offset != kNoOffset) absl::StrAppend(&text, "@", position.offset.value());
  if (position.leader_epoch != kNoLeaderEpoch) absl::StrAppend(&text, " (epoch ", position.leader_epoch, ")");
  return text;
}

std::string ToText(const std::vector<PartitionOffset>& positions) {
  return absl::StrJoin(positions, " ",
                       [](std::string* out, const PartitionOffset& one) { out->append(ToText(one)); });
}

const char* ToText(MachineState state) {
  static constexpr const char* kNames[] = {"running", "revoking", "draining", "finished"};
  return kNames[static_cast<int>(state)];
}

Event ParseEvent(const std::string& line) {
  std::istringstream in(line);
  std::string verb, word;
  in >> verb;
  if (verb == "assign") {
    Assigned event;
    while (in >> word) event.partitions.push_back(ParsePosition(word));
    return event;
  }
  if (verb == "revoke" || verb == "lost") {
    Revoked event;
    event.lost = verb == "lost";
    while (in >> word) event.partitions.push_back(ParsePartition(word));
    return event;
  }
  if (verb == "poll") {
    Polled event;
    in >> word;
    event.tp = ParsePartition(word);
    while (in >> word) event.records.push_back(ParseRecord(word));
    return event;
  }
  if (verb == "position") {
    in >> word;
    const PartitionOffset position = ParsePosition(word);
    return PositionReached{position.tp, position.offset};
  }
  if (verb == "ack") return ParseAcked(in);
  if (verb == "release") {
    in >> word;
    return Released{ParseNumber<uint64_t>(word)};
  }
  if (verb == "committed") return ParseOutcomes(in);
  if (verb == "drain") return ParseDrain(in);
  if (verb == "done") return ClientDone{};
  if (verb == "tick") return Tick{};
  std::cerr << "unknown event: " << line << "\n";
  std::abort();
}

std::string ToText(const Event& event) { return std::visit(EventText{}, event); }
std::string ToText(const Action& action) { return std::visit(ActionText{}, action); }

}  // namespace datapy_kafka::delivery
