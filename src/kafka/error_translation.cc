#include "kafka/error_translation.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace datapy_kafka::kafka {
namespace {

// SCRAM with a nonce that Kafka 4.x accepts.
constexpr int kScramFixedVersion = 0x020601ff;

bool Has(absl::string_view text, absl::string_view part) { return ContainsIgnoringCase(text, part); }

// "sasl_ssl://host:9093/bootstrap: Failed: what (after 3ms in state X)": the
// broker and the rest without the timing, which differs every time.
struct Parts {
  std::string broker;
  std::string text;
};

Parts Split(absl::string_view text) {
  // "rdkafka#consumer-1: " or a "[thrd:...]: " may stand before the broker.
  Parts parts;
  if (const size_t scheme = text.find("://"); scheme != absl::string_view::npos) {
    const size_t begin = text.rfind(' ', scheme) == absl::string_view::npos ? 0 : text.rfind(' ', scheme) + 1;
    const size_t end = text.find(": ", scheme + 3);
    if (end != absl::string_view::npos) {
      parts.broker = std::string(text.substr(scheme + 3, end - scheme - 3));
      text = begin == 0 ? text.substr(end + 2) : text;
    }
  } else if (const size_t end = text.find("/"); end != absl::string_view::npos && end < text.find(' ')) {
    // "host:9092/1: Connect to ..." of a PLAINTEXT broker.
    const size_t colon = text.find(": ", end);
    if (colon != absl::string_view::npos && text.find(':') < end) {
      parts.broker = std::string(text.substr(0, colon));
      text = text.substr(colon + 2);
    }
  }
  if (const size_t slash = parts.broker.find('/'); slash != std::string::npos) parts.broker.resize(slash);
  if (const size_t after = text.rfind(" (after "); after != absl::string_view::npos)
    text = text.substr(0, after);
  parts.text = std::string(absl::StripAsciiWhitespace(text));
  return parts;
}

// TLS trouble, which comes as _SSL, _TRANSPORT or _AUTHENTICATION.
std::optional<ErrorReason> TlsReason(rd_kafka_resp_err_t code, absl::string_view text) {
  if (Has(text, "certificate verify failed") || Has(text, "alert unknown ca") ||
      Has(text, "alert bad certificate") || Has(text, "alert certificate") ||
      Has(text, "alert expired certificate") || Has(text, "certificate required") ||
      Has(text, "alert unsupported certificate") || Has(text, "hostname mismatch") ||
      Has(text, "certificate has expired") || Has(text, "bad certificate")) {
    return ErrorReason::kTlsCertificateInvalid;
  }
  if (code == RD_KAFKA_RESP_ERR__SSL || Has(text, "SSL handshake failed") ||
      Has(text, "wrong version number") || Has(text, "SSL routines") ||
      Has(text, "connecting to a PLAINTEXT broker") || Has(text, "in state SSL_HANDSHAKE") ||
      Has(text, "incorrect security.protocol configuration") || Has(text, "connecting to a SSL listener")) {
    return ErrorReason::kTlsHandshakeFailed;
  }
  return std::nullopt;
}

ErrorReason ReasonOf(rd_kafka_resp_err_t code, absl::string_view text) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return ErrorReason::kSaslMechanismUnsupported;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      if (Has(text, "mechanism handshake failed") || Has(text, "supported mechanisms") ||
          Has(text, "Unsupported SASL mechanism")) {
        return ErrorReason::kSaslMechanismUnsupported;
      }
      // A listener without SASL hangs up when the handshake begins.
      return TlsReason(code, text).value_or(ErrorReason::kAuthenticationFailed);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return ErrorReason::kAuthorizationFailed;
    case RD_KAFKA_RESP_ERR__SSL:
      return *TlsReason(code, text);
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return ErrorReason::kDnsFailure;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__NODE_UPDATE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
      if (Has(text, "Failed to resolve")) return ErrorReason::kDnsFailure;
      return TlsReason(code, text).value_or(ErrorReason::kBrokerUnreachable);
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return ErrorReason::kTimedOut;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return ErrorReason::kUnknownTopic;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return ErrorReason::kNoCommittedOffset;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return ErrorReason::kRecordTooLarge;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return ErrorReason::kRecordRejected;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return ErrorReason::kResourceExhausted;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
      return ErrorReason::kFenced;
    case RD_KAFKA_RESP_ERR__FATAL:
      return ErrorReason::kFatal;
    default:
      return ErrorReason::kKafka;
  }
}

bool IsRetriable(rd_kafka_resp_err_t code, ErrorReason reason, absl::string_view text) {
  switch (reason) {
    case ErrorReason::kTlsHandshakeFailed:
      // A connection that is cut: the wrong protocol, or a broker that stops.
      return Has(text, "Disconnected");
    case ErrorReason::kBrokerUnreachable:
    case ErrorReason::kDnsFailure:
    case ErrorReason::kTimedOut:
    case ErrorReason::kResourceExhausted:
      return true;
    default:
      break;
  }
  switch (code) {
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return true;
    default:
      return ClassifyCommit(code) == CommitClass::kRetriable;
  }
}

absl::string_view AdviceFor(ErrorReason reason, absl::string_view text, int certificate_fault) {
  switch (reason) {
    case ErrorReason::kBrokerUnreachable:
      return "check bootstrap_servers, the network and that the broker runs";
    case ErrorReason::kDnsFailure:
      return "check the host names in bootstrap_servers and the name service";
    case ErrorReason::kAuthenticationFailed:
      return "check the user name and the password";
    case ErrorReason::kSaslMechanismUnsupported:
      return "choose a SASL mechanism that the listener offers";
    case ErrorReason::kAuthorizationFailed:
      return "ask for the ACL that this user lacks";
    case ErrorReason::kTlsCertificateInvalid:
      if (Has(text, "alert")) return "the broker refuses the client's certificate: check it and its key";
      if (const absl::string_view known = ExplainCertificateFault(certificate_fault); !known.empty())
        return known;
      return "check that the CA certificate signed the broker's, that it has not expired and that it names the "
             "host";
    case ErrorReason::kTlsHandshakeFailed:
      return "check that security_protocol matches the listener (TLS or plaintext) and whether it asks for a "
             "client "
             "certificate";
    case ErrorReason::kUnknownTopic:
      return "create the topic or correct its name";
    case ErrorReason::kNoCommittedOffset:
      return "the group has no usable committed offset and auto_offset_reset is none: commit one, or choose "
             "earliest "
             "or latest";
    case ErrorReason::kRecordTooLarge:
      return "make the record smaller, or raise message.max.bytes here and on the topic";
    case ErrorReason::kFenced:
      return "another client took this one's place: give each its own group.instance.id or transactional.id";
    default:
      return "";
  }
}

}  // namespace

bool ContainsIgnoringCase(absl::string_view text, absl::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
           return absl::ascii_tolower(static_cast<unsigned char>(a)) ==
                  absl::ascii_tolower(static_cast<unsigned char>(b));
         }) != text.end();
}

absl::string_view ExplainCertificateFault(int fault) {
  // X509_V_ERR_... of OpenSSL's x509_vfy.h: part of its stable interface.
  switch (fault) {
    case 9:  // CERT_NOT_YET_VALID
      return "the broker's certificate is not valid yet: compare the clocks";
    case 10:  // CERT_HAS_EXPIRED
      return "the broker's certificate, or one that signed it, has expired: have it renewed";
    case 2:   // UNABLE_TO_GET_ISSUER_CERT
    case 18:  // DEPTH_ZERO_SELF_SIGNED_CERT
    case 19:  // SELF_SIGNED_CERT_IN_CHAIN
    case 20:  // UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case 21:  // UNABLE_TO_VERIFY_LEAF_SIGNATURE
      return "the broker's certificate was signed by an unknown CA: give the CA certificate that signed it";
    case 23:  // CERT_REVOKED
      return "the broker's certificate was revoked: have a new one issued";
    case 62:  // HOSTNAME_MISMATCH
    case 64:  // IP_ADDRESS_MISMATCH
      return "the broker's certificate does not name this host: connect by a name that is in it, or have one "
             "issued that names the host";
    default:
      return "";
  }
}

absl::Status TranslatedError::ToStatus() const {
  ErrorBuilder builder(reason);
  if (!broker.empty()) builder.Broker(broker);
  return builder.Build(message);
}

TranslatedError Translate(rd_kafka_resp_err_t code, absl::string_view text, const TranslationContext& context) {
  Parts parts = Split(text);
  TranslatedError error;
  error.reason = ReasonOf(code, text);
  error.retriable = IsRetriable(code, error.reason, text);
  error.broker = std::move(parts.broker);
  error.message = parts.text.empty() ? rd_kafka_err2str(code) : std::move(parts.text);
  if (!error.broker.empty()) error.message = absl::StrCat(error.broker, ": ", error.message);
  if (const absl::string_view advice = AdviceFor(error.reason, error.message, context.certificate_fault);
      !advice.empty()) {
    absl::StrAppend(&error.message, "; ", advice);
  }
  if (error.reason == ErrorReason::kAuthenticationFailed && context.scram &&
      context.library_version < kScramFixedVersion) {
    absl::StrAppend(
        &error.message,
        "; or the broker is Kafka 4.x, which refuses SCRAM from librdkafka older than 2.6.1 (this is ",
        rd_kafka_version_str(), "): use a daemon built with a newer one, or PLAIN over TLS");
  }
  return error;
}

CommitClass ClassifyCommit(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return CommitClass::kDone;
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return CommitClass::kRetriable;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__DESTROY:
      return CommitClass::kStale;
    default:
      return CommitClass::kFailed;
  }
}

}  // namespace datapy_kafka::kafka
