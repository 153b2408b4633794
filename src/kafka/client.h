// A running rd_kafka_t and what must live exactly as long.
//
// Held by shared_ptr: a consumer, a producer, and every record whose bytes
// librdkafka still owns. The last holder's release starts rd_kafka_destroy on a
// thread of its own, because it may block (on a name server, for one) and the
// last holder may be any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kafka/client_log.h"
#include "kafka/error_translation.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

class Client {
 public:
  // What librdkafka's threads may call or read while the client lives.
  struct Surroundings {
    std::function<void()> wake;        // a queue went from empty to non-empty
    std::shared_ptr<void> keep_alive;  // memory that librdkafka points into
    TranslationContext translation;
    bool tls = false;
  };

  // Consumes `conf`. Errors: kTlsMaterialInvalid, kPropertyRefused.
  static absl::StatusOr<std::shared_ptr<Client>> Make(rd_kafka_type_t type, ConfPtr conf,
                                                      Surroundings surroundings);
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* rk() const { return rk_; }

  // Has `wake` called when the queue gets something; the queue's handle may go.
  void WakeOn(rd_kafka_queue_t* queue);

  TranslatedError Explain(rd_kafka_resp_err_t code, absl::string_view text) const;

  // As librdkafka does when a queue gets something.
  void Wake() const { surroundings_.wake(); }

  // What librdkafka says when the client is beyond repair; OK when it is not.
  absl::Status FatalError() const;

 private:
  explicit Client(Surroundings surroundings);

  // librdkafka's ssl_cert_verify_cb: keeps OpenSSL's verdict and remembers why.
  static int OnCertificate(rd_kafka_t* rk, const char* broker, int32_t broker_id, int* fault, int depth,
                           const char* certificate, size_t size, char* text, size_t text_size, void* client);

  Surroundings surroundings_;
  std::atomic<int> certificate_fault_{0};
  ClientLog log_;
  rd_kafka_t* rk_ = nullptr;
};

// Lets go of `client` and waits until it is destroyed, `timeout` at most. False
// when that takes longer or others still hold it: it goes on by itself.
bool ReleaseAndWait(std::shared_ptr<Client> client, absl::Duration timeout);

}  // namespace datapy_kafka::kafka
