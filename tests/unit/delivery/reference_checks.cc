// The half of ReferenceModel that compares with what the core did.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "unit/delivery/event_text.h"
#include "unit/delivery/reference_model.h"

namespace datapy_kafka::delivery {
namespace {

// The reference does not follow leader epochs; scenarios and unit tests do.
std::vector<PartitionOffset> WithoutEpochs(std::vector<PartitionOffset> positions) {
  for (PartitionOffset& position : positions) position.leader_epoch = kNoLeaderEpoch;
  return positions;
}

}  // namespace

void ReferenceModel::Wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

std::string ReferenceModel::Check(absl::Time now, const Event& event, const std::vector<Action>& actions,
                                  const DeliveryMachine& machine) {
  wrong_.clear();
  if (finished_) {
    if (!actions.empty()) Wrong("an action after Finish");
    return wrong_;
  }
  now_ = std::max(now_, now);
  failures_.clear();
  withdraws_.clear();
  finish_revokes_.clear();
  finishes_.clear();
  commits_.clear();
  const size_t open = OpenCount();
  std::visit([this](const auto& one) { Take(one); }, event);
  RunTimers();
  LookAtWindow(open);
  CheckActions(actions);
  CheckCounts(machine);
  return wrong_;
}

void ReferenceModel::CheckActions(const std::vector<Action>& actions) {
  // Deliveries come before the ends are looked at, or after a revocation freed
  // credits: they are checked against what the ends leave.
  size_t at = 0;
  for (; at < actions.size() && !std::holds_alternative<FinishRevoke>(actions[at]); ++at) {
    if (const auto* deliver = std::get_if<Deliver>(&actions[at])) CheckDeliver(*deliver);
  }
  NoteRefused();
  const size_t open = OpenCount();
  ExpectEnds();
  LookAtWindow(open);
  for (; at < actions.size(); ++at) {
    if (const auto* deliver = std::get_if<Deliver>(&actions[at])) CheckDeliver(*deliver);
  }

  std::vector<std::string> failures, withdraws, finish_revokes, finishes;
  std::optional<std::vector<PartitionOffset>> commit;
  for (const Action& action : actions) {
    if (const auto* set = std::get_if<SetReadable>(&action)) {
      const auto it = parts_.find(set->tp);
      if (it == parts_.end() || it->second.readable == set->readable) {
        Wrong("SetReadable repeated: " + ToText(action));
      } else {
        it->second.readable = set->readable;
      }
    } else if (const auto* finish_revoke = std::get_if<FinishRevoke>(&action)) {
      finish_revokes.push_back(ToText(FinishRevoke{WithoutEpochs(finish_revoke->positions)}));
    } else if (const auto* finish = std::get_if<Finish>(&action)) {
      Finish plain = *finish;
      plain.positions = WithoutEpochs(plain.positions);
      finishes.push_back(ToText(Action(plain)));
    } else if (const auto* offsets = std::get_if<CommitOffsets>(&action)) {
      if (commit || wire_busy_) Wrong("a second commit on the wire: " + ToText(action));
      commit = WithoutEpochs(offsets->positions);
    } else if (std::holds_alternative<ReportFailure>(action)) {
      failures.push_back(ToText(action));
    } else if (std::holds_alternative<Withdraw>(action)) {
      withdraws.push_back(ToText(action));
    }
  }
  const auto compare = [this](const char* what, const std::vector<std::string>& expected,
                              const std::vector<std::string>& actual) {
    if (expected == actual) return;
    Wrong(absl::StrCat(what, "\n  expected: ", absl::StrJoin(expected, "; "),
                       "\n  actual:   ", absl::StrJoin(actual, "; ")));
  };
  if (options_.ack_timeout) {  // which of two partitions times out first is not defined
    for (auto* lines : {&failures_, &failures, &withdraws_, &withdraws})
      std::sort(lines->begin(), lines->end());
  }
  compare("failures", failures_, failures);
  compare("withdrawals", withdraws_, withdraws);
  compare("revocations", finish_revokes_, finish_revokes);
  compare("end", finishes_, finishes);
  if (finished_) return;

  CheckNothingWithheld();
  for (auto& [tp, part] : parts_) part.best = Committable(part);
  if (wire_busy_) return;
  std::vector<PartitionOffset> due;
  for (const auto& [tp, part] : parts_) {
    const Offset mark = Committable(part);
    if (mark > part.sent) due.push_back({tp, mark});
  }
  const std::vector<PartitionOffset> sent = commit.value_or(std::vector<PartitionOffset>());
  compare("commit", {ToText(due)}, {ToText(sent)});
  for (const PartitionOffset& position : sent) {
    Part& part = parts_[position.tp];
    part.sent = position.offset;
    wire_serials_[position.tp] = parts_[position.tp].serial;
  }
  wire_ = sent;
  wire_busy_ = !sent.empty();
}

void ReferenceModel::CheckDeliver(const Deliver& deliver) {
  const auto it = parts_.find(deliver.tp);
  const std::string text = ToText(Action(deliver));
  if (it == parts_.end() || it->second.revoking || it->second.blocked || draining_) {
    return Wrong("delivered where nothing may be: " + text);
  }
  if (deliver.first_id.value() != next_id_) return Wrong("ids not consecutive: " + text);
  if (deliver.records.empty()) return Wrong("an empty delivery: " + text);
  for (const Delivered& record : deliver.records) {
    const auto rec = std::find_if(it->second.recs.begin(), it->second.recs.end(),
                                  [](const Rec& one) { return one.fate == Fate::kHeld; });
    if (rec == it->second.recs.end()) return Wrong("delivered what was not polled: " + text);
    if (rec->polled.offset != record.offset) return Wrong("out of order: " + text);
    if (rec->attempt != record.attempt) return Wrong("wrong attempt: " + text);
    if (rec->polled.payload != record.payload) return Wrong("another record's payload: " + text);
    if (!Admits(rec->polled.size_bytes)) return Wrong("beyond the window: " + text);
    if (!MayDeliver(it->second)) return Wrong("too many at once after a failure: " + text);
    if (shut_ && OpenCount() > 0) return Wrong("before the window opened: " + text);
    rec->fate = Fate::kOpen;
    rec->was_delivered = true;
    rec->id = next_id_++;
    shut_ =
        shut_ || OpenCount() >= options_.max_in_flight_records || OpenBytes() >= options_.max_in_flight_bytes;
  }
}

void ReferenceModel::NoteRefused() {
  for (const auto& [tp, part] : parts_) {
    const auto held = std::find_if(part.recs.begin(), part.recs.end(),
                                   [](const Rec& rec) { return rec.fate == Fate::kHeld; });
    if (held != part.recs.end() && MayDeliver(part) && !Admits(held->polled.size_bytes)) maybe_shut_ = true;
  }
}

// When records wait although nothing blocks their partition, then because the
// window does not admit one of the waiting heads.
void ReferenceModel::CheckNothingWithheld() {
  NoteRefused();
  bool waiting = false, refused = false;
  for (auto& [tp, part] : parts_) {
    const auto held = std::find_if(part.recs.begin(), part.recs.end(),
                                   [](const Rec& rec) { return rec.fate == Fate::kHeld; });
    const bool holds = held != part.recs.end();
    if (holds && MayDeliver(part)) {
      waiting = true;
      refused = refused || shut_ || maybe_shut_;
    }
    if (part.blocked && part.readable) Wrong("read on during a backoff: " + ToString(tp));
    if (!holds && !part.readable && !part.revoking && !draining_) Wrong("held for no reason: " + ToString(tp));

    const auto head = std::find_if(part.recs.begin(), part.recs.end(),
                                   [](const Rec& rec) { return rec.fate == Fate::kOpen; });
    const uint64_t head_id = head == part.recs.end() ? 0 : head->id;
    if (head_id != part.head_id) {
      part.head_id = head_id;
      part.head_since = now_;
    }
  }
  if (waiting && !refused) Wrong("records wait although the window has room");
}

void ReferenceModel::CheckCounts(const DeliveryMachine& machine) {
  const auto compare = [this](const char* what, uint64_t expected, uint64_t actual) {
    if (expected != actual) Wrong(absl::StrCat(what, ": expected ", expected, ", is ", actual));
  };
  const Totals& totals = machine.totals();
  compare("delivered", next_id_ - 1, totals.delivered);
  compare("acked", acked_, totals.acked);
  compare("nacked", nacked_, totals.nacked);
  compare("skipped", skipped_, totals.skipped);
  compare("retried", retried_, totals.retried);
  compare("stale acks", stale_, totals.stale_acks);
  compare("records in flight", OpenCount(), machine.in_flight_records());
  compare("bytes in flight", OpenBytes(), machine.in_flight_bytes());
  for (const PartitionOffset& commit : machine.last_commits()) {
    if (last_[commit.tp] != commit.offset) Wrong("last commit of " + ToText(commit));
  }
  if (machine.free_records() > options_.max_in_flight_records) Wrong("more credits than the window");
  const bool holds =
      std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return Holds(part.second); });
  if (!draining_ && !holds && HasRoom() && machine.free_records() == 0 &&
      machine.NextDeadline() == absl::InfiniteFuture()) {
    Wrong("the window has room, is shut, and nothing will open it");
  }
}

}  // namespace datapy_kafka::delivery
