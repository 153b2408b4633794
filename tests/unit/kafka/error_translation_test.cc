// What librdkafka says, and what users are told.
#include "kafka/error_translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace datapy_kafka::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
  rd_kafka_resp_err_t code;
  const char* text;
  ErrorReason reason;
};

class Reasons : public testing::TestWithParam<Row> {};

TEST_P(Reasons, AreFound) {
  const TranslatedError error = Translate(GetParam().code, GetParam().text);
  EXPECT_EQ(error.reason, GetParam().reason)
      << ErrorReasonName(error.reason) << " for " << GetParam().text << ": " << error.message;
  EXPECT_FALSE(error.message.empty());
}

// Texts as librdkafka 2.0.2 and newer write them.
INSTANTIATE_TEST_SUITE_P(
    Table, Reasons,
    testing::Values(
        Row{RD_KAFKA_RESP_ERR__AUTHENTICATION,
            "sasl_ssl://b1:9093/bootstrap: SASL authentication error: Authentication failed: Invalid username "
            "or "
            "password (after 312ms in state AUTH_REQ)",
            ErrorReason::kAuthenticationFailed},
        Row{RD_KAFKA_RESP_ERR__AUTHENTICATION,
            "sasl_plaintext://b1:9093/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: "
            "Unsupported "
            "SASL mechanism: broker's supported mechanisms: PLAIN (after 2ms in state AUTH_HANDSHAKE)",
            ErrorReason::kSaslMechanismUnsupported},
        Row{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, "", ErrorReason::kSaslMechanismUnsupported},
        Row{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "", ErrorReason::kAuthenticationFailed},
        Row{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "", ErrorReason::kAuthorizationFailed},
        Row{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "", ErrorReason::kAuthorizationFailed},
        Row{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "", ErrorReason::kAuthorizationFailed},
        Row{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "", ErrorReason::kAuthorizationFailed},
        Row{RD_KAFKA_RESP_ERR__SSL,
            "ssl://b1:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify "
            "failed: "
            "broker certificate could not be verified, verify that ssl.ca.location is correctly configured "
            "(after "
            "5ms in state SSL_HANDSHAKE)",
            ErrorReason::kTlsCertificateInvalid},
        Row{RD_KAFKA_RESP_ERR__SSL,
            "ssl://b1:9093/1: SSL handshake failed: error:0A000415:SSL routines::sslv3 alert certificate "
            "expired",
            ErrorReason::kTlsCertificateInvalid},
        Row{RD_KAFKA_RESP_ERR__SSL,
            "ssl://b1:9093/1: error:0A00045C:SSL routines::tlsv13 alert certificate required",
            ErrorReason::kTlsCertificateInvalid},
        Row{RD_KAFKA_RESP_ERR__SSL,
            "ssl://b1:9092/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version number: "
            "connecting to a PLAINTEXT broker listener?",
            ErrorReason::kTlsHandshakeFailed},
        Row{RD_KAFKA_RESP_ERR__SSL,
            "ssl://b1:9092/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker "
            "listener? "
            "(after 2ms in state SSL_HANDSHAKE)",
            ErrorReason::kTlsHandshakeFailed},
        Row{RD_KAFKA_RESP_ERR__TRANSPORT,
            "b1:9093/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
            "security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10",
            ErrorReason::kTlsHandshakeFailed},
        Row{RD_KAFKA_RESP_ERR__TRANSPORT,
            "ssl://b1:9092/bootstrap: Disconnected (after 1ms in state SSL_HANDSHAKE)",
            ErrorReason::kTlsHandshakeFailed},
        Row{RD_KAFKA_RESP_ERR__TRANSPORT, "ssl://b1:9092/1: Disconnected (after 9ms in state UP)",
            ErrorReason::kBrokerUnreachable},
        Row{RD_KAFKA_RESP_ERR__RESOLVE,
            "nohost:9092/bootstrap: Failed to resolve 'nohost:9092': Name or service not known (after 3ms in "
            "state "
            "CONNECT)",
            ErrorReason::kDnsFailure},
        Row{RD_KAFKA_RESP_ERR__TRANSPORT,
            "b1:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state "
            "CONNECT)",
            ErrorReason::kBrokerUnreachable},
        Row{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down", ErrorReason::kBrokerUnreachable},
        Row{RD_KAFKA_RESP_ERR__TIMED_OUT, "", ErrorReason::kTimedOut},
        Row{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "", ErrorReason::kTimedOut},
        Row{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            "Subscribed topic not available: orders: Broker: Unknown topic", ErrorReason::kUnknownTopic},
        Row{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, "", ErrorReason::kNoCommittedOffset},
        Row{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "", ErrorReason::kRecordTooLarge},
        Row{RD_KAFKA_RESP_ERR_INVALID_RECORD, "", ErrorReason::kRecordRejected},
        Row{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "", ErrorReason::kFenced},
        Row{RD_KAFKA_RESP_ERR__FATAL, "", ErrorReason::kFatal},
        Row{RD_KAFKA_RESP_ERR_UNKNOWN, "", ErrorReason::kKafka}));

TEST(Translate, NamesTheBrokerAndDropsTheTiming) {
  const TranslatedError error =
      Translate(RD_KAFKA_RESP_ERR__TRANSPORT,
                "ssl://broker-1.bank:9093/bootstrap: Connect to ipv4#10.0.0.1:9093 failed: "
                "Connection refused (after 3ms in state CONNECT)");
  EXPECT_EQ(error.broker, "broker-1.bank:9093");
  EXPECT_EQ(GetErrorInfo(error.ToStatus()).metadata["broker"], "broker-1.bank:9093");
  EXPECT_THAT(error.message, HasSubstr("Connection refused"));
  EXPECT_THAT(error.message, Not(HasSubstr("after 3ms")));
  EXPECT_TRUE(error.retriable);
}

TEST(Translate, ScramOfAnOldLibraryHasASecondExplanation) {
  const auto message = [](bool scram, int version) {
    return Translate(RD_KAFKA_RESP_ERR__AUTHENTICATION, "SASL authentication error: invalid credentials",
                     {scram, version})
        .message;
  };
  EXPECT_THAT(message(true, 0x020002ff), HasSubstr("4.x"));
  EXPECT_THAT(message(true, 0x020002ff), HasSubstr("user name and the password"));
  EXPECT_THAT(message(true, 0x020800ff), Not(HasSubstr("4.x")));
  EXPECT_THAT(message(false, 0x020002ff), Not(HasSubstr("4.x")));
}

TEST(CertificateFaults, AreToldApart) {
  constexpr char kText[] =
      "ssl://b1:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: "
      "broker certificate could not be verified (after 5ms in state SSL_HANDSHAKE)";
  const auto message = [&](int fault) {
    TranslationContext context;
    context.certificate_fault = fault;
    return Translate(RD_KAFKA_RESP_ERR__SSL, kText, context).message;
  };
  EXPECT_THAT(message(9), HasSubstr("not valid yet"));
  EXPECT_THAT(message(10), HasSubstr("has expired"));
  EXPECT_THAT(message(19), HasSubstr("unknown CA"));
  EXPECT_THAT(message(23), HasSubstr("was revoked"));
  EXPECT_THAT(message(62), HasSubstr("does not name this host"));
  // What is none of these: all there is to check.
  EXPECT_THAT(message(0), HasSubstr("check that the CA certificate signed the broker's"));
  EXPECT_THAT(message(79), HasSubstr("check that the CA certificate signed the broker's"));
}

}  // namespace
}  // namespace datapy_kafka::kafka
