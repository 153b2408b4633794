// CheckConnection: one look at a cluster, and what stands in the way.
#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/kafka/client_factory.h"
#include "kafka/client.h"
#include "kafka/client_conf.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {
namespace {

using MetadataPtr = std::unique_ptr<const rd_kafka_metadata_t, FreeWith<rd_kafka_metadata_destroy>>;

// How long unreachable brokers are tried before the answer is "unreachable":
// time for those that come up or stand later in the list.
constexpr absl::Duration kUnreachableGrace = absl::Seconds(3);
// Errors are looked at between tries, which grow for slow brokers.
constexpr absl::Duration kFirstTry = absl::Milliseconds(250);
constexpr absl::Duration kLongestTry = absl::Seconds(4);

bool RetryingIsOfNoUse(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kAuthenticationFailed:
    case ErrorReason::kSaslMechanismUnsupported:
    case ErrorReason::kAuthorizationFailed:
    case ErrorReason::kTlsHandshakeFailed:
    case ErrorReason::kTlsCertificateInvalid:
    case ErrorReason::kTlsMaterialInvalid:
      return true;
    default:
      return false;
  }
}

// What the client said while it tried to connect.
class Findings {
 public:
  Findings(const Client& client, absl::Time began) : client_(client), began_(began) {}

  void Read(rd_kafka_queue_t* queue) {
    while (const EventPtr event{rd_kafka_queue_poll(queue, 0)}) {
      if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) continue;
      const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
      if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        all_down_ = true;
        continue;
      }
      TranslatedError error = client_.Explain(code, rd_kafka_event_error_string(event.get()));
      const bool tells_why = RetryingIsOfNoUse(error.reason);
      if (tells_why && !error.retriable && !final_.has_value()) final_ = error;
      other_than_dns_ |= error.reason != ErrorReason::kDnsFailure;
      // An address at which nobody listens, often the other kind of IP, does not
      // hide why a broker refuses.
      if (tells_why || !last_.has_value() || !RetryingIsOfNoUse(last_->reason)) last_ = std::move(error);
    }
  }

  // What ends the check now, if anything does.
  std::optional<TranslatedError> Verdict(absl::Time now) const {
    if (final_.has_value()) return final_;
    if (!all_down_ || !last_.has_value()) return std::nullopt;
    const bool only_dns = !other_than_dns_;
    if (only_dns || now - began_ >= kUnreachableGrace) return last_;
    return std::nullopt;
  }

  // The best explanation when time has run out.
  const std::optional<TranslatedError>& last() const { return last_; }

 private:
  const Client& client_;
  const absl::Time began_;
  std::optional<TranslatedError> final_;
  std::optional<TranslatedError> last_;
  bool all_down_ = false;
  bool other_than_dns_ = false;
};

ports::ConnectionInfo InfoOf(rd_kafka_t* rk, const rd_kafka_metadata_t& metadata, absl::Duration duration) {
  ports::ConnectionInfo info;
  info.broker_count = metadata.broker_cnt;
  for (int i = 0; i < metadata.topic_cnt; ++i) info.topics.emplace_back(metadata.topics[i].topic);
  std::sort(info.topics.begin(), info.topics.end());
  // Known already: it came with the metadata.
  if (char* id = rd_kafka_clusterid(rk, 0)) {
    info.cluster_id = id;
    rd_kafka_mem_free(rk, id);
  }
  info.librdkafka_version = rd_kafka_version_str();
  info.duration = duration;
  return info;
}

absl::StatusOr<ports::ConnectionInfo> Look(const Client& client, absl::Time began, absl::Duration timeout,
                                           const std::atomic<bool>& stopping) {
  const QueuePtr events(rd_kafka_queue_get_main(client.rk()));
  Findings findings(client, began);
  absl::Duration slice = kFirstTry;
  while (true) {
    const absl::Duration rest = began + timeout - absl::Now();
    if (rest <= absl::ZeroDuration()) break;
    if (stopping.load()) {
      return ErrorBuilder(ErrorReason::kShuttingDown)
          .Build("the daemon is stopping; check again with the next one");
    }
    const rd_kafka_metadata_t* raw = nullptr;
    const int slice_ms =
        static_cast<int>(std::max<int64_t>(1, absl::ToInt64Milliseconds(std::min(slice, rest))));
    const rd_kafka_resp_err_t code = rd_kafka_metadata(client.rk(), /*all_topics=*/1, nullptr, &raw, slice_ms);
    const MetadataPtr metadata(raw);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return InfoOf(client.rk(), *metadata, absl::Now() - began);
    if (const TranslatedError error = client.Explain(code, ""); RetryingIsOfNoUse(error.reason)) {
      return error.ToStatus();
    }
    findings.Read(events.get());
    if (const auto verdict = findings.Verdict(absl::Now())) return verdict->ToStatus();
    slice = std::min(slice * 2, kLongestTry);
  }
  if (findings.last().has_value()) return findings.last()->ToStatus();
  return ErrorBuilder(ErrorReason::kTimedOut)
      .Build(absl::StrCat(
          "no answer within ", absl::FormatDuration(timeout),
          "; check bootstrap_servers, the network and that security_protocol matches the listener"));
}

}  // namespace

absl::StatusOr<ports::ConnectionInfo> CheckConnection(const config::ConnectionOptions& connection,
                                                      absl::Duration timeout,
                                                      const std::atomic<bool>& stopping) {
  const absl::Time began = absl::Now();
  absl::StatusOr<ConfPtr> conf = CheckConf(connection, absl::ToInt64Milliseconds(timeout));
  if (!conf.ok()) return conf.status();
  absl::StatusOr<std::shared_ptr<Client>> client =
      Client::Make(RD_KAFKA_PRODUCER, *std::move(conf), SurroundingsOf(connection, [] {}));
  if (!client.ok()) return client.status();
  absl::StatusOr<ports::ConnectionInfo> found = Look(**client, began, timeout, stopping);
  // Destroyed in the background: a name server that hangs must not hold this up.
  return found;
}

}  // namespace datapy_kafka::kafka
