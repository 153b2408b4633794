// Which librdkafka properties a job may set.
//
// Everything that is not in the table is refused: a property that a later
// library adds must be looked at before a job can reach it. Left out on
// purpose: what loads code (plugin.library.paths, ssl.engine.*, ssl.providers),
// opens files (*.location, *.file, sasl.kerberos.*), runs programs
// (sasl.kerberos.kinit.cmd), reaches out (sasl.oauthbearer.*), shows secrets
// (debug, log_level), and what the daemon's promises rest on (see kReserved).
#include "property_rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace datapy_kafka::config {
namespace {

// kConnection: on the connection alone. A session must not weaken the TLS of a
// connection that the operator has configured.
enum class Side { kBoth, kConnection, kConsumer, kProducer };

struct Allowed {
  absl::string_view name;
  Side side;
};

constexpr std::array kAllowed = {
    Allowed{"allow.auto.create.topics", Side::kBoth},
    Allowed{"api.version.request.timeout.ms", Side::kBoth},
    Allowed{"broker.address.family", Side::kBoth},
    Allowed{"broker.address.ttl", Side::kBoth},
    Allowed{"client.dns.lookup", Side::kBoth},
    Allowed{"client.id", Side::kBoth},
    Allowed{"client.rack", Side::kBoth},
    Allowed{"connections.max.idle.ms", Side::kBoth},
    Allowed{"enable.metrics.push", Side::kBoth},
    Allowed{"enable.ssl.certificate.verification", Side::kConnection},
    Allowed{"message.copy.max.bytes", Side::kBoth},
    Allowed{"message.max.bytes", Side::kBoth},
    Allowed{"metadata.max.age.ms", Side::kBoth},
    Allowed{"metadata.recovery.rebootstrap.trigger.ms", Side::kBoth},
    Allowed{"metadata.recovery.strategy", Side::kBoth},
    Allowed{"receive.message.max.bytes", Side::kBoth},
    Allowed{"reconnect.backoff.max.ms", Side::kBoth},
    Allowed{"reconnect.backoff.ms", Side::kBoth},
    Allowed{"retry.backoff.max.ms", Side::kBoth},
    Allowed{"retry.backoff.ms", Side::kBoth},
    Allowed{"socket.connection.setup.timeout.ms", Side::kBoth},
    Allowed{"socket.keepalive.enable", Side::kBoth},
    Allowed{"socket.max.fails", Side::kBoth},
    Allowed{"socket.nagle.disable", Side::kBoth},
    Allowed{"socket.receive.buffer.bytes", Side::kBoth},
    Allowed{"socket.send.buffer.bytes", Side::kBoth},
    Allowed{"socket.timeout.ms", Side::kBoth},
    Allowed{"ssl.cipher.suites", Side::kConnection},
    Allowed{"ssl.curves.list", Side::kConnection},
    Allowed{"ssl.endpoint.identification.algorithm", Side::kConnection},
    Allowed{"ssl.sigalgs.list", Side::kConnection},
    Allowed{"topic.blacklist", Side::kBoth},
    Allowed{"topic.metadata.propagation.max.ms", Side::kBoth},
    Allowed{"topic.metadata.refresh.fast.interval.ms", Side::kBoth},
    Allowed{"topic.metadata.refresh.interval.ms", Side::kBoth},
    Allowed{"topic.metadata.refresh.sparse", Side::kBoth},
    Allowed{"check.crcs", Side::kConsumer},
    Allowed{"coordinator.query.interval.ms", Side::kConsumer},
    Allowed{"fetch.error.backoff.ms", Side::kConsumer},
    Allowed{"fetch.max.bytes", Side::kConsumer},
    Allowed{"fetch.message.max.bytes", Side::kConsumer},
    Allowed{"fetch.min.bytes", Side::kConsumer},
    Allowed{"fetch.queue.backoff.ms", Side::kConsumer},
    Allowed{"fetch.wait.max.ms", Side::kConsumer},
    Allowed{"group.instance.id", Side::kConsumer},
    Allowed{"heartbeat.interval.ms", Side::kConsumer},
    Allowed{"isolation.level", Side::kConsumer},
    Allowed{"max.partition.fetch.bytes", Side::kConsumer},
    Allowed{"max.poll.interval.ms", Side::kConsumer},
    Allowed{"partition.assignment.strategy", Side::kConsumer},
    Allowed{"queued.max.messages.kbytes", Side::kConsumer},
    Allowed{"queued.min.messages", Side::kConsumer},
    Allowed{"session.timeout.ms", Side::kConsumer},
    Allowed{"batch.num.messages", Side::kProducer},
    Allowed{"batch.size", Side::kProducer},
    Allowed{"compression.codec", Side::kProducer},
    Allowed{"compression.level", Side::kProducer},
    Allowed{"compression.type", Side::kProducer},
    Allowed{"delivery.timeout.ms", Side::kProducer},
    Allowed{"linger.ms", Side::kProducer},
    Allowed{"max.in.flight", Side::kProducer},
    Allowed{"max.in.flight.requests.per.connection", Side::kProducer},
    Allowed{"message.send.max.retries", Side::kProducer},
    Allowed{"message.timeout.ms", Side::kProducer},
    Allowed{"partitioner", Side::kProducer},
    Allowed{"queue.buffering.max.ms", Side::kProducer},
    Allowed{"request.timeout.ms", Side::kProducer},
    Allowed{"retries", Side::kProducer},
    Allowed{"sticky.partitioning.linger.ms", Side::kProducer},
};

// What a client may hold of the daemon's memory, beside the session's window: a
// job must not take it all.
struct Ceiling {
  absl::string_view name;
  int64_t most;
};

constexpr int64_t kMostBytes = int64_t{256} << 20;
constexpr std::array kCeilings = {
    Ceiling{"fetch.max.bytes", kMostBytes},
    Ceiling{"fetch.message.max.bytes", kMostBytes},
    Ceiling{"max.partition.fetch.bytes", kMostBytes},
    Ceiling{"queued.max.messages.kbytes", kMostBytes / 1024},
    // librdkafka wants it to hold fetch.max.bytes and a header.
    Ceiling{"receive.message.max.bytes", kMostBytes + 1024},
};

// Refused with what to use instead, as users will ask. A name that ends with
// '.' or '*' stands for all that begin with it.
struct Reserved {
  absl::string_view name;
  absl::string_view instead;
};

constexpr std::array kReserved = {
    Reserved{"acks", "the daemon always waits for all replicas"},
    Reserved{"request.required.acks", "the daemon always waits for all replicas"},
    Reserved{"enable.idempotence", "the daemon's producers are always idempotent"},
    Reserved{"enable.auto.commit", "the daemon commits what the job acked"},
    Reserved{"auto.commit.", "the daemon commits what the job acked"},
    Reserved{"enable.auto.offset.store", "the daemon commits what the job acked"},
    Reserved{"offset.store.", "the daemon commits what the job acked"},
    Reserved{"auto.offset.reset", "use auto_offset_reset"},
    Reserved{"bootstrap.servers", "use bootstrap_servers"},
    Reserved{"metadata.broker.list", "use bootstrap_servers"},
    Reserved{"group.id", "use group_id"},
    Reserved{"security.protocol", "use security_protocol"},
    Reserved{"sasl.mechanism", "use sasl_mechanism"},
    Reserved{"sasl.mechanisms", "use sasl_mechanism"},
    Reserved{"sasl.username", "use sasl_username"},
    Reserved{"sasl.password", "use sasl_password"},
    Reserved{"ssl.ca.", "use ssl_ca_location"},
    Reserved{"ssl.certificate.", "use ssl_cert_location"},
    Reserved{"ssl.key.", "use ssl_key_location and ssl_key_password"},
    Reserved{"queue.buffering.max.kbytes", "the daemon's limits.max_producer_queue_bytes bounds it"},
    Reserved{"queue.buffering.max.messages", "the daemon's limits.max_producer_queue_bytes bounds it"},
    Reserved{"statistics.interval.ms", "the daemon reports lag and progress without it"},
    Reserved{"transactional.id", "transactions are not offered"},
    Reserved{"plugin.", "it loads code into the daemon"},
    Reserved{"ssl.engine.", "it loads code into the daemon"},
    Reserved{"ssl.providers", "it loads code into the daemon"},
    Reserved{"debug", "it could show secrets in the daemon's log"},
    Reserved{"sasl.kerberos.", "it opens files and runs programs in the daemon"},
    Reserved{"sasl.oauthbearer.", "OAUTHBEARER is not offered"},
    Reserved{"ssl.keystore.", "use ssl_cert_location and ssl_key_location with PEM files"},
    Reserved{"ssl.crl.", "it opens files in the daemon"},
};

const Allowed* FindAllowed(absl::string_view name) {
  const auto found =
      std::find_if(kAllowed.begin(), kAllowed.end(), [name](const Allowed& one) { return one.name == name; });
  return found == kAllowed.end() ? nullptr : &*found;
}

absl::string_view ReasonToRefuse(absl::string_view name) {
  for (const Reserved& reserved : kReserved) {
    if (name == reserved.name ||
        (absl::EndsWith(reserved.name, ".") && absl::StartsWith(name, reserved.name))) {
      return reserved.instead;
    }
  }
  return "it is not among those that a job may set";
}

}  // namespace

bool PropertyAppliesTo(absl::string_view name, ClientKind kind) {
  const Allowed* allowed = FindAllowed(name);
  if (allowed == nullptr) return false;
  return allowed->side == Side::kBoth || allowed->side == Side::kConnection ||
         allowed->side == (kind == ClientKind::kConsumer ? Side::kConsumer : Side::kProducer);
}

void CheckCeiling(absl::string_view name, absl::string_view value, Problems* problems) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(value, &number)) return;  // librdkafka's to refuse
  for (const Ceiling& ceiling : kCeilings) {
    if (name == ceiling.name && number > ceiling.most) {
      problems->Add("property \"", name, "\" is refused: ", number, " is more than ", ceiling.most,
                    ", which is the most");
    }
  }
}

void CheckConnectionProperties(const Properties& properties, Problems* problems) {
  for (const auto& [name, value] : properties) {
    if (FindAllowed(name) == nullptr) {
      problems->Add("property \"", name.substr(0, 100), "\" is refused: ", ReasonToRefuse(name));
    }
    CheckCeiling(name, value, problems);
  }
}

absl::Status ValidateConnectionProperties(const Properties& properties) {
  Problems problems;
  CheckConnectionProperties(properties, &problems);
  return problems.ToStatus(ErrorReason::kPropertyRefused);
}

absl::Status ValidateProperties(const Properties& properties, ClientKind kind) {
  Problems problems;
  CheckConnectionProperties(properties, &problems);
  for (const auto& [name, value] : properties) {
    const Allowed* allowed = FindAllowed(name);
    if (allowed == nullptr) continue;
    if (allowed->side == Side::kConnection) {
      problems.Add("property \"", name, "\" is refused here: it belongs to the connection");
    } else if (!PropertyAppliesTo(name, kind)) {
      problems.Add("property \"", name, "\" is refused: it is a ",
                   kind == ClientKind::kConsumer ? "producer" : "consumer", "'s");
    }
  }
  return problems.ToStatus(ErrorReason::kPropertyRefused);
}

}  // namespace datapy_kafka::config
