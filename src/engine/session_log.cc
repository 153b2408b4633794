#include "session_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace datapy_kafka::engine {
namespace {

constexpr int kFailureLinesPerSecond = 10;
constexpr size_t kPartitionsNamed = 12;
constexpr size_t kErrorTextShown = 512;

template <typename List, typename Format>
std::string Shorten(const List& list, Format format) {
  const size_t named = std::min(list.size(), kPartitionsNamed);
  std::string text = absl::StrJoin(list.begin(), list.begin() + named, ", ", format);
  if (named < list.size()) absl::StrAppend(&text, " and ", list.size() - named, " more");
  return text;
}

// A job's error text may be long; what else may be in it, the log's formatter
// escapes.
std::string Shown(const std::string& text) {
  return text.size() <= kErrorTextShown ? text : absl::StrCat(text.substr(0, kErrorTextShown), "...");
}

std::string Describe(const delivery::ReportFailure& failure) {
  switch (failure.outcome) {
    case delivery::FailureOutcome::kSkipped:
      return "skipped and committed";
    case delivery::FailureOutcome::kRetrying:
      return absl::StrCat("again in ", absl::FormatDuration(failure.backoff));
    case delivery::FailureOutcome::kStopping:
      return "stopping, as on_error says";
    case delivery::FailureOutcome::kLeft:
      return "left uncommitted: it comes again after the restart";
  }
  return "";
}

}  // namespace

std::string Describe(delivery::DrainCause cause) {
  switch (cause) {
    case delivery::DrainCause::kClient:
      return "the job ended it";
    case delivery::DrainCause::kShutdown:
      return "the daemon is stopping";
    case delivery::DrainCause::kPolicy:
      return "a record failed";
    case delivery::DrainCause::kError:
      return "Kafka refused to go on";
  }
  return "";
}

void SessionLog::Started(const config::SessionOptions& options) {
  spdlog::info("session {} of {} started: group {}, topics {}, cluster {}", session_id_,
               options.client_name.empty() ? "an unnamed client" : Shown(options.client_name), options.group_id,
               absl::StrJoin(options.topics, ","), options.connection.DisplayName());
}

void SessionLog::Assigned(const std::vector<PartitionOffset>& partitions) {
  const auto format = [](std::string* out, const PartitionOffset& one) {
    absl::StrAppend(out, ToString(one.tp));
    if (one.offset != kNoOffset) absl::StrAppend(out, "@", one.offset.value());
  };
  spdlog::info("session {}: {} partitions assigned: {}", session_id_, partitions.size(),
               Shorten(partitions, format));
}

void SessionLog::Revoked(const std::vector<TopicPartition>& partitions, bool lost) {
  const auto format = [](std::string* out, const TopicPartition& tp) { absl::StrAppend(out, ToString(tp)); };
  if (lost) {
    spdlog::warn(
        "session {}: {} partitions lost, the group did not hear of this member in time: {}; what was in flight "
        "comes again",
        session_id_, partitions.size(), Shorten(partitions, format));
  } else {
    spdlog::info("session {}: {} partitions revoked: {}", session_id_, partitions.size(),
                 Shorten(partitions, format));
  }
}

void SessionLog::Trouble(const absl::Status& status, bool fatal) {
  if (fatal) {
    spdlog::error("session {} cannot go on: {}", session_id_, std::string(status.message()));
  } else {
    spdlog::warn("session {}: {}", session_id_, std::string(status.message()));
  }
}

void SessionLog::RecordFailed(const delivery::ReportFailure& failure, absl::Time now) {
  if (now - second_began_ >= absl::Seconds(1)) {
    TellLeftOut();
    second_began_ = now;
    lines_this_second_ = 0;
  }
  if (lines_this_second_++ < kFailureLinesPerSecond) {
    spdlog::error("session {}: record {} offset {} attempt {} failed: {}; {}", session_id_,
                  ToString(failure.tp), failure.offset.value(), failure.attempt, Shown(failure.error),
                  Describe(failure));
    return;
  }
  const auto [found, is_new] = left_out_.try_emplace(failure.tp, LeftOut{failure.offset, failure.offset});
  LeftOut& left_out = found->second;
  left_out.first = std::min(left_out.first, failure.offset);
  left_out.last = std::max(left_out.last, failure.offset);
  ++left_out.count;
}

void SessionLog::KeepHouse(absl::Time now) {
  if (now - second_began_ >= absl::Seconds(1)) TellLeftOut();
}

void SessionLog::TellLeftOut() {
  if (left_out_.empty()) return;
  uint64_t total = 0;
  for (const auto& [tp, left_out] : left_out_) total += left_out.count;
  const std::vector<std::pair<TopicPartition, LeftOut>> list(left_out_.begin(), left_out_.end());
  spdlog::error("session {}: {} more records failed: {}", session_id_, total,
                Shorten(list, [](std::string* out, const auto& one) {
                  absl::StrAppend(out, one.second.count, " of ", ToString(one.first), " at offsets ",
                                  one.second.first.value(), " to ", one.second.last.value());
                }));
  left_out_.clear();
}

void SessionLog::CommitFailed(const absl::Status& status) {
  spdlog::error("session {}: a commit was refused: {}", session_id_, std::string(status.message()));
}

void SessionLog::CommitDelayed(const absl::Status& status) {
  spdlog::warn("session {}: commits are not taken, trying on: {}", session_id_, std::string(status.message()));
}

void SessionLog::Draining(delivery::DrainCause cause, absl::Duration timeout, size_t in_flight) {
  spdlog::info("session {} draining: {}; {} records in flight, at most {}", session_id_, Describe(cause),
               in_flight, absl::FormatDuration(timeout));
}

void SessionLog::Ended(const delivery::Finish& finish, const delivery::Totals& totals, absl::Duration lasted,
                       bool closed_in_time) {
  TellLeftOut();
  spdlog::info(
      "session {} ended after {}: {}; delivered {}, acked {}, failed {}, retried {}, skipped {}, commits {}",
      session_id_, absl::FormatDuration(absl::Trunc(lasted, absl::Milliseconds(1))), Describe(finish.cause),
      totals.delivered, totals.acked, totals.nacked, totals.retried, totals.skipped, totals.commits);
  if (!finish.clean) {
    spdlog::warn("session {}: {} records stay unacked at the end of the drain time-out; they come again",
                 session_id_, finish.unacked);
  }
  if (!closed_in_time) {
    spdlog::warn("session {}: leaving the group took too long and goes on in the background", session_id_);
  }
}

}  // namespace datapy_kafka::engine
