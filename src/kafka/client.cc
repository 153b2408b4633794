#include "kafka/client.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/kafka/client_factory.h"
#include "kafka/certificate_chain.h"

namespace datapy_kafka::kafka {
namespace {

// The process's clients, so that a close can wait for what it let go.
class Census {
 public:
  static Census& Get() {
    static Census* const kCensus = new Census;
    return *kCensus;
  }

  void Born() {
    absl::MutexLock lock(&mutex_);
    ++alive_;
  }
  void Dying() {
    absl::MutexLock lock(&mutex_);
    ++dying_;
  }
  void Dead() {
    absl::MutexLock lock(&mutex_);
    --dying_;
    --alive_;
  }
  bool AwaitNoneDying(absl::Duration timeout) { return AwaitZero(dying_, timeout); }
  bool AwaitNoneAlive(absl::Duration timeout) { return AwaitZero(alive_, timeout); }

 private:
  bool AwaitZero(const int& count, absl::Duration timeout) {
    const auto is_zero = [&count] { return count == 0; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&is_zero), timeout);
  }

  absl::Mutex mutex_;
  int alive_ = 0;  // made and not yet destroyed; under mutex_
  int dying_ = 0;  // of these, those whose destruction runs; under mutex_
};

void DestroyInBackground(rd_kafka_t* rk, std::shared_ptr<void> keep_alive) {
  Census::Get().Dying();
  std::thread([rk, keep_alive = std::move(keep_alive)]() mutable {
    // The group was left before, or is not to be waited for.
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    keep_alive.reset();
    Census::Get().Dead();
  }).detach();
}

}  // namespace

// Everything that librdkafka's threads use moves into the background with it.
Client::Client(Surroundings surroundings) : surroundings_(std::move(surroundings)) {}

absl::StatusOr<std::shared_ptr<Client>> Client::Make(rd_kafka_type_t type, ConfPtr conf,
                                                     Surroundings surroundings) {
  CertificateChainFile chain;
  if (absl::Status status = chain.Replace(conf.get()); !status.ok()) return status;
  // The destructor must not run while librdkafka's threads use the members, so
  // the shared_ptr's deleter hands the whole object over to the background.
  auto* raw = new Client(std::move(surroundings));
  rd_kafka_conf_set_opaque(conf.get(), raw);
  rd_kafka_conf_set_log_cb(conf.get(),
                           [](const rd_kafka_t* rk, int level, const char* facility, const char* text) {
                             static_cast<Client*>(rd_kafka_opaque(rk))->log_.Line(level, facility, text);
                           });
  if (raw->surroundings_.tls) rd_kafka_conf_set_ssl_cert_verify_cb(conf.get(), &Client::OnCertificate);
  char text[512] = "";
  raw->rk_ = rd_kafka_new(type, conf.get(), text, sizeof(text));
  if (raw->rk_ == nullptr) {
    const bool tls =
        raw->surroundings_.tls && (ContainsIgnoringCase(text, "ssl") || ContainsIgnoringCase(text, "pem"));
    delete raw;
    if (tls) {
      return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
          .Build(absl::StrCat(
              "the TLS certificates or the key cannot be used: ", text,
              "; check that each is PEM, that key and certificate belong together and that the key's "
              "password is right"));
    }
    return ErrorBuilder(ErrorReason::kPropertyRefused).Build(absl::StrCat("librdkafka refuses: ", text));
  }
  (void)conf.release();  // rd_kafka_new took it
  Census::Get().Born();
  return std::shared_ptr<Client>(
      raw, [](Client* client) { DestroyInBackground(client->rk_, std::shared_ptr<Client>(client)); });
}

Client::~Client() = default;

int Client::OnCertificate(rd_kafka_t* /*rk*/, const char* /*broker*/, int32_t /*broker_id*/, int* fault,
                          int /*depth*/, const char* /*certificate*/, size_t /*size*/, char* text,
                          size_t text_size, void* client) {
  if (*fault == 0) return 1;
  static_cast<Client*>(client)->certificate_fault_.store(*fault, std::memory_order_relaxed);
  absl::SNPrintF(text, text_size, "%s", ExplainCertificateFault(*fault));
  return 0;
}

TranslatedError Client::Explain(rd_kafka_resp_err_t code, absl::string_view text) const {
  TranslationContext context = surroundings_.translation;
  context.certificate_fault = certificate_fault_.load(std::memory_order_relaxed);
  return Translate(code, text, context);
}

void Client::WakeOn(rd_kafka_queue_t* queue) {
  rd_kafka_queue_cb_event_enable(
      queue, [](rd_kafka_t*, void* opaque) { static_cast<Client*>(opaque)->surroundings_.wake(); }, this);
}

absl::Status Client::FatalError() const {
  char text[512] = "";
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(rk_, text, sizeof(text));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  TranslatedError error = Explain(code, text);
  if (error.reason != ErrorReason::kFenced) error.reason = ErrorReason::kFatal;
  return error.ToStatus();
}

bool ReleaseAndWait(std::shared_ptr<Client> client, absl::Duration timeout) {
  const bool last = client.use_count() == 1;
  client.reset();
  return last && Census::Get().AwaitNoneDying(timeout);
}

bool AwaitFreed(absl::Duration timeout) { return Census::Get().AwaitNoneAlive(timeout); }

}  // namespace datapy_kafka::kafka
