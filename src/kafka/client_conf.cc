#include "kafka/client_conf.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::kafka {
namespace {

struct Setting {
  const char* name;
  const char* value;
};

constexpr Setting kCommon[] = {
    {"client.id", "datapy-kafka-sidecar"},
    // Brokers close idle connections as a matter of course.
    {"log.connection.close", "false"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    // As Java's client: with librdkafka's 10 s a member whose connections were
    // cut a few times in a row is out of its group before it tries again.
    {"reconnect.backoff.max.ms", "1000"},
};

constexpr Setting kConsumer[] = {
    {"partition.assignment.strategy", "range"},
    // A topic that appears later is found within seconds.
    {"topic.metadata.refresh.interval.ms", "10000"},
    {"allow.auto.create.topics", "false"},
    {"fetch.error.backoff.ms", "100"},
    // The prefetch of each partition. Its bytes are bounded so that eight
    // partitions of 10 KiB records stay within 32 MiB, and its records because
    // each costs librdkafka some 300 bytes beside its own.
    // A job never waits for more: fetching goes on at once when a queue has been
    // read down (before librdkafka 2.2 through FetchNudge).
    {"queued.min.messages", "10000"},
    {"queued.max.messages.kbytes", "2048"},
#if RD_KAFKA_VERSION >= 0x020200ff
    {"fetch.queue.backoff.ms", "10"},
#endif
};

// At-least-once rests on these: only what the job acked is committed.
constexpr Setting kConsumerFixed[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "false"},
};

constexpr Setting kProducer[] = {
    {"partitioner", "murmur2_random"},  // as Java's producer places keys
    // No linger: a single record leaves at once, and in bulk batches grow by
    // themselves while earlier ones are on the wire.
    {"queue.buffering.max.ms", "0"},
    {"batch.num.messages", "100000"},
    {"message.timeout.ms", "30000"},
    // How long a topic may stay unknown, so that a wrong name is reported
    // before a batch's usual time-out.
    {"topic.metadata.propagation.max.ms", "5000"},
};

constexpr Setting kProducerFixed[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"queue.buffering.max.messages", "0"},  // bytes alone bound it
};

template <size_t kSize>
void SetEach(ConfBuilder& builder, const Setting (&settings)[kSize]) {
  for (const Setting& setting : settings) builder.Set(setting.name, setting.value);
}

// Settings whose value never goes into a message.
bool IsSecret(absl::string_view name) {
  return absl::StrContains(name, "password") || absl::StrContains(name, "secret") ||
         absl::StrContains(name, "pem") || absl::StrContains(name, "jaas") ||
         absl::StrContains(name, "oauthbearer.config");
}

}  // namespace

ConfBuilder::ConfBuilder() : conf_(rd_kafka_conf_new()) { SetEach(*this, kCommon); }

void ConfBuilder::Set(const std::string& name, const std::string& value, bool secret) {
  char text[512] = "";
  if (rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), text, sizeof(text)) == RD_KAFKA_CONF_OK)
    return;
  if (secret || IsSecret(name)) {
    refused_.push_back(absl::StrCat(name, ": librdkafka does not take its value, which is not shown here"));
  } else {
    refused_.push_back(absl::StrCat(name, ": ", text));
  }
}

void ConfBuilder::SetAll(const config::Properties& properties) {
  for (const auto& [name, value] : properties) Set(name, value);
}

void ConfBuilder::SetConnection(const config::ConnectionOptions& connection) {
  Set("bootstrap.servers", connection.bootstrap_servers);
  Set("security.protocol", std::string(config::ToString(connection.security_protocol)));
  if (connection.UsesSasl()) {
    Set("sasl.mechanism", std::string(config::ToString(connection.sasl_mechanism)));
    Set("sasl.username", connection.sasl_username);
    Set("sasl.password", connection.sasl_password.Reveal(), true);
  }
  if (connection.UsesTls()) SetTls(connection);
}

void ConfBuilder::SetConnectionProperties(const config::ConnectionOptions& connection,
                                          config::ClientKind kind) {
  for (const auto& [name, value] : connection.properties) {
    if (config::PropertyAppliesTo(name, kind)) Set(name, value);
  }
}

void ConfBuilder::SetTls(const config::ConnectionOptions& connection) {
  if (!connection.ssl_ca_pem.empty()) Set("ssl.ca.pem", connection.ssl_ca_pem);
  if (!connection.ssl_certificate_pem.empty()) Set("ssl.certificate.pem", connection.ssl_certificate_pem);
  if (!connection.ssl_key_pem.empty()) Set("ssl.key.pem", connection.ssl_key_pem.Reveal(), true);
  if (!connection.ssl_key_password.empty()) Set("ssl.key.password", connection.ssl_key_password.Reveal(), true);
}

absl::StatusOr<ConfPtr> ConfBuilder::Take() {
  if (!refused_.empty()) {
    return ErrorBuilder(ErrorReason::kPropertyRefused)
        .Build(
            absl::StrCat("librdkafka ", rd_kafka_version_str(), " refuses: ", absl::StrJoin(refused_, "; ")));
  }
  return std::move(conf_);
}

absl::StatusOr<ConfPtr> ConsumerConf(const config::SessionOptions& options) {
  ConfBuilder builder;
  SetEach(builder, kConsumer);
  builder.SetConnection(options.connection);
  builder.SetConnectionProperties(options.connection, config::ClientKind::kConsumer);
  builder.Set("group.id", options.group_id);
  builder.Set("auto.offset.reset", options.auto_offset_reset == config::OffsetReset::kNone
                                       ? "error"
                                       : std::string(config::ToString(options.auto_offset_reset)));
  builder.SetAll(options.properties);
  SetEach(builder, kConsumerFixed);
  absl::StatusOr<ConfPtr> conf = builder.Take();
  if (conf.ok()) {
    rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR |
                                              RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_FETCH);
  }
  return conf;
}

absl::StatusOr<ConfPtr> ProducerConf(const config::ConnectionOptions& connection,
                                     const config::Properties& properties, uint64_t max_queue_bytes) {
  // librdkafka's bounds of the setting.
  const uint64_t kbytes = std::clamp<uint64_t>(max_queue_bytes / 1024, 1, 2147483647);
  ConfBuilder builder;
  SetEach(builder, kProducer);
  builder.Set("queue.buffering.max.kbytes", absl::StrCat(kbytes));
  builder.SetConnection(connection);
  builder.SetConnectionProperties(connection, config::ClientKind::kProducer);
  builder.SetAll(properties);
  SetEach(builder, kProducerFixed);
  absl::StatusOr<ConfPtr> conf = builder.Take();
  if (conf.ok()) rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  return conf;
}

absl::StatusOr<ConfPtr> CheckConf(const config::ConnectionOptions& connection, int64_t timeout_ms) {
  ConfBuilder builder;
  builder.SetConnection(connection);
  builder.SetConnectionProperties(connection, config::ClientKind::kProducer);
  builder.Set("socket.connection.setup.timeout.ms",
              absl::StrCat(std::clamp<int64_t>(timeout_ms, 1000, 30'000)));
  builder.Set("reconnect.backoff.max.ms", "1000");
  // All bootstrap servers at once and again: by default librdkafka tries one at
  // a time, by chance, and may not come to the one that answers.
  builder.Set("enable.sparse.connections", "false");
  // A listener with TLS hangs up on a client without: here that is the answer.
  builder.Set("log.connection.close", "true");
  absl::StatusOr<ConfPtr> conf = builder.Take();
  if (conf.ok()) rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_ERROR);
  return conf;
}

std::string GetSetting(const rd_kafka_conf_t* conf, const char* name) {
  std::array<char, 512> value{};
  size_t size = value.size();
  if (rd_kafka_conf_get(conf, name, value.data(), &size) != RD_KAFKA_CONF_OK) return "";
  return std::string(value.data());
}

Client::Surroundings SurroundingsOf(const config::ConnectionOptions& connection, std::function<void()> wake) {
  Client::Surroundings surroundings;
  surroundings.wake = std::move(wake);
  surroundings.tls = connection.UsesTls();
  surroundings.translation.scram =
      connection.UsesSasl() && connection.sasl_mechanism != config::SaslMechanism::kPlain;
  return surroundings;
}

}  // namespace datapy_kafka::kafka
