// From librdkafka's error codes and texts to reasons and sentences.
//
// librdkafka has one code for many causes (_TRANSPORT is a refused connection
// as well as a plaintext client on a TLS port), so the text decides where the
// code does not. Pure; any thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::kafka {

struct TranslatedError {
  ErrorReason reason = ErrorReason::kKafka;
  // What happened and what to do about it; holds no secret.
  std::string message;
  // "broker1:9093", empty when the text names none.
  std::string broker;
  // Trying again may succeed without anybody changing anything.
  bool retriable = false;

  // As a status with the broker in its metadata.
  absl::Status ToStatus() const;
};

// What the text does not tell.
struct TranslationContext {
  bool scram = false;
  int library_version = rd_kafka_version();
  // OpenSSL's X509_V_ERR_... of the last refused broker certificate; 0 for none.
  int certificate_fault = 0;
};

// What such a number means and what to do; empty for the unusual ones.
absl::string_view ExplainCertificateFault(int fault);

// `text`: librdkafka's own words; may be empty.
TranslatedError Translate(rd_kafka_resp_err_t code, absl::string_view text,
                          const TranslationContext& context = {});

// For librdkafka's and OpenSSL's texts, whose case varies.
bool ContainsIgnoringCase(absl::string_view text, absl::string_view part);

// What a commit's error means for the position that it concerns.
enum class CommitClass { kDone, kRetriable, kStale, kFailed };
CommitClass ClassifyCommit(rd_kafka_resp_err_t code);

}  // namespace datapy_kafka::kafka
