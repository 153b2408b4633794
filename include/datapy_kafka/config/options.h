// What a session, a connection and the daemon are asked to do, after checking.
//
// Plain values. Made from API messages by rpc, from flags and files by config
// and server; Validate* says all that is wrong at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/secret.h"
#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::config {

// Values equal those of the API's enums.
enum class SecurityProtocol : int { kPlaintext = 1, kSsl = 2, kSaslPlaintext = 3, kSaslSsl = 4 };
enum class SaslMechanism : int { kPlain = 1, kScramSha256 = 2, kScramSha512 = 3 };
enum class OffsetReset : int { kEarliest = 1, kLatest = 2, kNone = 3 };
using FailureMode = delivery::FailureMode;

// "SASL_SSL", "SCRAM-SHA-256", "earliest": as librdkafka and users write them.
absl::string_view ToString(SecurityProtocol protocol);
absl::string_view ToString(SaslMechanism mechanism);
absl::string_view ToString(OffsetReset reset);

using Properties = std::map<std::string, std::string>;

// A Kafka cluster and how to log in to it.
struct ConnectionOptions {
  std::string name;  // of a configured connection; empty for a job's own
  std::string bootstrap_servers;
  SecurityProtocol security_protocol = SecurityProtocol::kPlaintext;
  SaslMechanism sasl_mechanism = SaslMechanism::kPlain;
  std::string sasl_username;
  Secret sasl_password;
  std::string ssl_ca_pem;           // empty: the system's
  std::string ssl_certificate_pem;  // with ssl_key_pem: mutual TLS
  Secret ssl_key_pem;
  Secret ssl_key_password;
  Properties properties;

  bool UsesSasl() const;
  bool UsesTls() const;
  // How logs and status name it: the name, or the bootstrap servers.
  std::string DisplayName() const;
  // Equal for equal connections, secrets included; holds none of them.
  std::string Fingerprint() const;
};

struct FailurePolicy {
  FailureMode mode = FailureMode::kContinue;
  uint32_t max_retries = 3;
  std::vector<absl::Duration> backoff = {absl::Milliseconds(100), absl::Milliseconds(200),
                                         absl::Milliseconds(400)};
};

// A consume session.
struct SessionOptions {
  ConnectionOptions connection;
  std::vector<std::string> topics;
  std::string group_id;
  OffsetReset auto_offset_reset = OffsetReset::kEarliest;
  FailurePolicy failure_policy;
  uint32_t max_in_flight_records = 10'000;
  uint64_t max_in_flight_bytes = 32u << 20;
  absl::Duration drain_timeout = absl::Seconds(30);
  std::optional<absl::Duration> ack_timeout;
  absl::Duration commit_report_interval = absl::Seconds(1);
  Properties properties;
  std::string client_name;
  std::string client_version;
};

// Bounds of what jobs may use; see LimitsConfig in config.proto.
struct Limits {
  uint32_t max_sessions = 64;
  uint32_t max_streams_per_connection = 100;
  uint64_t max_request_bytes = 64u << 20;
  uint32_t max_in_flight_records = 100'000;
  uint64_t max_in_flight_bytes = 256u << 20;
  uint32_t max_producers = 32;
  uint64_t max_producer_queue_bytes = 64u << 20;
  absl::Duration idle_timeout = absl::Seconds(600);
  uint32_t max_metric_partitions = 200;
  uint64_t max_rpc_memory_bytes = 256u << 20;
};

// TLS of the TCP listeners; all three, or none.
struct ListenerTls {
  std::string certificate_file;
  std::string private_key_file;
  std::string client_ca_file;
};

// What the configuration file and the environment say.
struct FileOptions {
  std::map<std::string, ConnectionOptions> connections;
  Limits limits;
  std::optional<ListenerTls> listener_tls;
  std::vector<uint32_t> allowed_uids;
  bool socket_group_access = false;
};

// OK, or kInvalidArgument / kPropertyRefused naming every field that is wrong
// and what it accepts.
absl::Status ValidateConnection(const ConnectionOptions& options);
absl::Status ValidateSession(const SessionOptions& options);

// Which side a property is for.
enum class ClientKind { kConsumer, kProducer };

// Checks job-supplied librdkafka properties against the allow rule: nothing
// that loads code, opens files or breaks the daemon's promises. The error names
// each property that is refused and why. Whether librdkafka knows a property is
// the kafka module's to say.
absl::Status ValidateProperties(const Properties& properties, ClientKind kind);

// The same for a connection's properties, which may be for either side: each
// client takes those that apply to it.
absl::Status ValidateConnectionProperties(const Properties& properties);
bool PropertyAppliesTo(absl::string_view name, ClientKind kind);

}  // namespace datapy_kafka::config
