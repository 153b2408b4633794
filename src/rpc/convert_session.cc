#include "convert_session.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "wire_time.h"

namespace datapy_kafka::rpc {
namespace {

constexpr uint64_t kMinFrameBytes = 1024;
constexpr uint64_t kMaxFrameBytes = 1u << 30;

// An enum of the API: 0 means `fallback`, what is not known is a problem.
template <typename T>
T ReadEnum(int value, bool known, T fallback, absl::string_view field, absl::string_view accepted,
           Problems* problems) {
  if (known && value != 0) return static_cast<T>(value);
  if (!known) problems->Add(absl::StrCat(field, " ", value, " is unknown; use ", accepted));
  return fallback;
}

std::optional<absl::Duration> ReadOptional(bool present, const google::protobuf::Duration& message,
                                           absl::string_view field, Problems* problems) {
  if (!present) return std::nullopt;
  const std::optional<absl::Duration> duration = ReadDuration(message);
  if (!duration.has_value()) problems->Add(absl::StrCat(field, " is no valid duration"));
  return duration;
}

void ReadPolicy(const v1::FailurePolicy& message, config::FailurePolicy* policy, Problems* problems) {
  policy->mode = ReadEnum(message.mode(), v1::FailureMode_IsValid(message.mode()), policy->mode,
                          "failure_policy.mode", "CONTINUE, RETRY or STOP", problems);
  if (message.has_max_retries()) policy->max_retries = message.max_retries();
  if (message.backoff_ms_size() == 0) return;
  policy->backoff.clear();
  for (const uint32_t ms : message.backoff_ms()) policy->backoff.push_back(absl::Milliseconds(ms));
}

void ReadBounds(const v1::Start& start, const config::Limits& limits, StartOptions* options,
                Problems* problems) {
  config::SessionOptions& session = options->session;
  if (start.has_max_in_flight_records()) session.max_in_flight_records = start.max_in_flight_records();
  if (start.has_max_in_flight_bytes()) session.max_in_flight_bytes = start.max_in_flight_bytes();
  session.max_in_flight_records = std::min(session.max_in_flight_records, limits.max_in_flight_records);
  session.max_in_flight_bytes = std::min(session.max_in_flight_bytes, limits.max_in_flight_bytes);
  if (start.has_max_frame_bytes()) {
    if (start.max_frame_bytes() < kMinFrameBytes) {
      problems->Add(absl::StrCat("max_frame_bytes must be ", kMinFrameBytes, " or more"));
    }
    options->max_frame_bytes = std::min(start.max_frame_bytes(), kMaxFrameBytes);
  }
}

void ReadDurations(const v1::Start& start, absl::Duration max_drain_timeout, config::SessionOptions* session,
                   Problems* problems) {
  const auto drain = ReadOptional(start.has_drain_timeout(), start.drain_timeout(), "drain_timeout", problems);
  session->drain_timeout = std::min(drain.value_or(max_drain_timeout), max_drain_timeout);
  session->ack_timeout = ReadOptional(start.has_ack_timeout(), start.ack_timeout(), "ack_timeout", problems);
  const auto interval = ReadOptional(start.has_commit_report_interval(), start.commit_report_interval(),
                                     "commit_report_interval", problems);
  if (interval.has_value()) session->commit_report_interval = *interval;
}

}  // namespace

absl::StatusOr<StartOptions> ConvertStart(const v1::Start& start, const config::Limits& limits,
                                          absl::Duration max_drain_timeout, Backend* backend) {
  StartOptions options;
  config::SessionOptions& session = options.session;
  Problems problems;
  auto connection = CheckedConnection(start.has_connection(), start.connection(), backend);
  if (connection.ok()) {
    session.connection = *std::move(connection);
  } else {
    problems.Add(connection.status());
  }
  session.topics.assign(start.topics().begin(), start.topics().end());
  session.group_id = start.group_id();
  session.auto_offset_reset =
      ReadEnum(start.auto_offset_reset(), v1::OffsetReset_IsValid(start.auto_offset_reset()),
               session.auto_offset_reset, "auto_offset_reset", "EARLIEST, LATEST or NONE", &problems);
  ReadPolicy(start.failure_policy(), &session.failure_policy, &problems);
  if (!v1::CommitStrategy_IsValid(start.commit_strategy())) {
    problems.Add(absl::StrCat("commit_strategy ", static_cast<int>(start.commit_strategy()),
                              " is not offered; this version has PER_MESSAGE, and neither batch nor periodic"));
  }
  const auto layout = ReadEnum(start.record_layout(), v1::RecordLayout_IsValid(start.record_layout()),
                               v1::RECORD_LAYOUT_ROWS, "record_layout", "ROWS or COLUMNS", &problems);
  options.columns = layout == v1::RECORD_LAYOUT_COLUMNS;
  ReadBounds(start, limits, &options, &problems);
  ReadDurations(start, max_drain_timeout, &session, &problems);
  session.properties = ConvertProperties(start.properties());
  session.client_name = start.client_name();
  session.client_version = start.client_version();

  problems.Add(config::ValidateSession(session));
  problems.Add(config::ValidateProperties(session.properties, config::ClientKind::kConsumer));
  if (!problems.empty()) return problems.ToStatus();
  return options;
}

}  // namespace datapy_kafka::rpc
