// Errors that say what happened, to what, and what to do.
//
// An Error travels as an absl::Status with a payload, so that every module can
// return it and rpc can put its reason and places into google.rpc.ErrorInfo:
//
//   return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
//       .File("/opt/certs/ca.pem")
//       .Build("cannot read the CA file: no such file; mount it or correct ssl_ca_location");
//
// No message may hold a secret. Plain values, any thread.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/base/types.h"

namespace datapy_kafka {

// Why something failed. Values equal those of the API's ErrorReason.
enum class ErrorReason : int {
  kUnspecified = 0,
  kInvalidArgument = 1,
  kPropertyRefused = 2,
  kUnknownConnection = 3,
  kProtocolViolation = 4,
  kBrokerUnreachable = 10,
  kDnsFailure = 11,
  kAuthenticationFailed = 12,
  kSaslMechanismUnsupported = 13,
  kAuthorizationFailed = 14,
  kTlsHandshakeFailed = 15,
  kTlsCertificateInvalid = 16,
  kTlsMaterialInvalid = 17,
  kTimedOut = 18,
  kUnknownTopic = 20,
  kNoCommittedOffset = 21,
  kRecordTooLarge = 22,
  kResourceExhausted = 23,
  kFenced = 24,
  kCommitFailed = 25,
  kAckTimedOut = 26,
  kProcessingFailed = 27,
  kRecordRejected = 28,
  kShuttingDown = 30,
  kFatal = 31,
  kKafka = 32,
  kInternal = 33,
};

// "BROKER_UNREACHABLE": the name in ErrorInfo.reason.
absl::string_view ErrorReasonName(ErrorReason reason);

// The status code that goes with a reason.
absl::StatusCode StatusCodeFor(ErrorReason reason);

// What is known about an error beside its message.
struct ErrorInfo {
  ErrorReason reason = ErrorReason::kUnspecified;
  // topic, partition, offset, broker, file.
  std::map<std::string, std::string> metadata;
};

// Makes a status that carries an ErrorInfo.
class ErrorBuilder {
 public:
  explicit ErrorBuilder(ErrorReason reason) { info_.reason = reason; }

  ErrorBuilder& At(const TopicPartition& tp);
  ErrorBuilder& At(const TopicPartition& tp, Offset offset);
  ErrorBuilder& Topic(absl::string_view topic);
  ErrorBuilder& Broker(absl::string_view broker);
  ErrorBuilder& File(absl::string_view path);

  // `message`: a sentence without secrets.
  absl::Status Build(absl::string_view message) const;

 private:
  ErrorInfo info_;
};

// The info that a status carries. Without one: kUnspecified for OK, kInternal
// for an error that nobody gave a reason to.
ErrorInfo GetErrorInfo(const absl::Status& status);

}  // namespace datapy_kafka
