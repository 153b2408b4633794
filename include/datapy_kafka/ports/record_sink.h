// A producer, seen from rpc.
//
// Thread-safe. Records of successive Produce calls keep their order. The sink
// is bounded in bytes: a batch that does not fit waits, and fails with
// kResourceExhausted when its deadline passes first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/ports/record.h"

namespace datapy_kafka::ports {

// A record to write. Views must outlive the batch (ProduceBatch::owner).
struct OutgoingRecord {
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  std::vector<Header> headers;  // its own; the batch's come first
  int32_t partition = -1;       // -1: by the key
  int64_t timestamp_ms = -1;    // -1: now
};

// When Produce answers. Values equal those of the API's ProduceMode.
enum class ProduceMode : int { kDelivered = 1, kEnqueued = 2 };

struct ProduceBatch {
  std::string topic;
  std::vector<OutgoingRecord> records;  // empty: flush what came before
  std::vector<Header> headers;
  ProduceMode mode = ProduceMode::kDelivered;
  absl::Duration timeout = absl::Seconds(10);
  // Keeps what the views point into alive; released when no longer needed.
  std::shared_ptr<const void> owner;
};

struct ProduceFailure {
  uint32_t index = 0;
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string message;
  bool retriable = false;
};

struct ProduceResult {
  uint32_t succeeded = 0;
  uint64_t bytes = 0;  // keys and values of what succeeded
  // kDelivered: one entry a record, -1 where it failed.
  std::vector<int32_t> partitions;
  std::vector<int64_t> offsets;
  std::vector<ProduceFailure> failures;
  uint64_t earlier_failures = 0;
};

class RecordSink {
 public:
  using Done = absl::AnyInvocable<void(ProduceResult)>;

  virtual ~RecordSink() = default;

  // Writes a batch; never blocks. `done` is called exactly once, on a thread
  // of the sink or, when nothing is to be waited for, inside this call; before
  // the batch's timeout plus about a second.
  virtual void Produce(ProduceBatch batch, Done done) = 0;

  // Waits until all is delivered, `timeout` at most. True when nothing is left.
  virtual bool Flush(absl::Duration timeout) = 0;
};

}  // namespace datapy_kafka::ports
