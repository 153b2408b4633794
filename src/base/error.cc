#include "datapy_kafka/base/error.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace datapy_kafka {
namespace {

constexpr char kPayloadUrl[] = "datapy_kafka/ErrorInfo";

struct Row {
  ErrorReason reason;
  absl::string_view name;
  absl::StatusCode code;
};

using enum absl::StatusCode;
constexpr std::array kRows = {
    Row{ErrorReason::kUnspecified, "UNSPECIFIED", kUnknown},
    Row{ErrorReason::kInvalidArgument, "INVALID_ARGUMENT", kInvalidArgument},
    Row{ErrorReason::kPropertyRefused, "PROPERTY_REFUSED", kInvalidArgument},
    Row{ErrorReason::kUnknownConnection, "UNKNOWN_CONNECTION", kInvalidArgument},
    Row{ErrorReason::kProtocolViolation, "PROTOCOL_VIOLATION", kFailedPrecondition},
    Row{ErrorReason::kBrokerUnreachable, "BROKER_UNREACHABLE", kUnavailable},
    Row{ErrorReason::kDnsFailure, "DNS_FAILURE", kUnavailable},
    Row{ErrorReason::kAuthenticationFailed, "AUTHENTICATION_FAILED", kUnauthenticated},
    Row{ErrorReason::kSaslMechanismUnsupported, "SASL_MECHANISM_UNSUPPORTED", kUnauthenticated},
    Row{ErrorReason::kAuthorizationFailed, "AUTHORIZATION_FAILED", kPermissionDenied},
    Row{ErrorReason::kTlsHandshakeFailed, "TLS_HANDSHAKE_FAILED", kFailedPrecondition},
    Row{ErrorReason::kTlsCertificateInvalid, "TLS_CERTIFICATE_INVALID", kFailedPrecondition},
    Row{ErrorReason::kTlsMaterialInvalid, "TLS_MATERIAL_INVALID", kFailedPrecondition},
    Row{ErrorReason::kTimedOut, "TIMED_OUT", kDeadlineExceeded},
    Row{ErrorReason::kUnknownTopic, "UNKNOWN_TOPIC", kNotFound},
    Row{ErrorReason::kNoCommittedOffset, "NO_COMMITTED_OFFSET", kFailedPrecondition},
    Row{ErrorReason::kRecordTooLarge, "RECORD_TOO_LARGE", kResourceExhausted},
    Row{ErrorReason::kResourceExhausted, "RESOURCE_EXHAUSTED", kResourceExhausted},
    Row{ErrorReason::kFenced, "FENCED", kAborted},
    Row{ErrorReason::kCommitFailed, "COMMIT_FAILED", kAborted},
    Row{ErrorReason::kAckTimedOut, "ACK_TIMED_OUT", kDeadlineExceeded},
    Row{ErrorReason::kProcessingFailed, "PROCESSING_FAILED", kAborted},
    Row{ErrorReason::kRecordRejected, "RECORD_REJECTED", kInvalidArgument},
    Row{ErrorReason::kShuttingDown, "SHUTTING_DOWN", kUnavailable},
    Row{ErrorReason::kFatal, "FATAL", kInternal},
    Row{ErrorReason::kKafka, "KAFKA", kUnknown},
    Row{ErrorReason::kInternal, "INTERNAL", kInternal},
};

const Row& RowOf(ErrorReason reason) {
  for (const Row& row : kRows) {
    if (row.reason == reason) return row;
  }
  return kRows[0];
}

// The payload is the reason's number, then key=value lines. Values hold no
// line break: they are names and numbers.
std::string Encode(const ErrorInfo& info) {
  std::string text = absl::StrCat(static_cast<int>(info.reason));
  for (const auto& [key, value] : info.metadata) absl::StrAppend(&text, "\n", key, "=", value);
  return text;
}

ErrorInfo Decode(absl::string_view text) {
  ErrorInfo info;
  bool first = true;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (std::exchange(first, false)) {
      int number = 0;
      if (absl::SimpleAtoi(line, &number)) info.reason = static_cast<ErrorReason>(number);
      continue;
    }
    const std::pair<std::string, std::string> pair = absl::StrSplit(line, absl::MaxSplits('=', 1));
    info.metadata.insert(pair);
  }
  return info;
}

}  // namespace

absl::string_view ErrorReasonName(ErrorReason reason) { return RowOf(reason).name; }

absl::StatusCode StatusCodeFor(ErrorReason reason) { return RowOf(reason).code; }

ErrorBuilder& ErrorBuilder::At(const TopicPartition& tp) {
  info_.metadata["topic"] = tp.topic;
  info_.metadata["partition"] = absl::StrCat(tp.partition);
  return *this;
}

ErrorBuilder& ErrorBuilder::At(const TopicPartition& tp, Offset offset) {
  info_.metadata["offset"] = absl::StrCat(offset.value());
  return At(tp);
}

ErrorBuilder& ErrorBuilder::Topic(absl::string_view topic) {
  info_.metadata["topic"] = std::string(topic);
  return *this;
}

ErrorBuilder& ErrorBuilder::Broker(absl::string_view broker) {
  info_.metadata["broker"] = std::string(broker);
  return *this;
}

ErrorBuilder& ErrorBuilder::File(absl::string_view path) {
  info_.metadata["file"] = std::string(path);
  return *this;
}

absl::Status ErrorBuilder::Build(absl::string_view message) const {
  absl::Status status(StatusCodeFor(info_.reason), message);
  status.SetPayload(kPayloadUrl, absl::Cord(Encode(info_)));
  return status;
}

ErrorInfo GetErrorInfo(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kPayloadUrl)) return Decode(std::string(*payload));
  ErrorInfo info;
  if (!status.ok()) info.reason = ErrorReason::kInternal;
  return info;
}

}  // namespace datapy_kafka
