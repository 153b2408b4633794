// The two ends of a consume stream, in the daemon's own types.
//
// rpc makes a SessionStream for each call and hands it to the engine, which
// answers with a Session. From then on:
//   rpc → engine: Session's methods, on any thread, never blocking.
//   engine → rpc: SessionStream's methods, on the session's engine thread.
// The stream outlives the session's use of it: the engine calls Finish exactly
// once, last, whatever happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/error.h"
#include "datapy_kafka/base/types.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/record.h"

namespace datapy_kafka::ports {

// ---- client frames ----------------------------------------------------------

// The core's own types: what a client acks reaches it as it is.
using DeliveryRange = delivery::AckRange;
using Nack = delivery::NackedDelivery;
using AckFrame = delivery::Acked;

struct ReleaseFrame {
  uint64_t revocation_id = 0;
};

struct StopFrame {
  std::string reason;
};

using ClientFrame = std::variant<AckFrame, ReleaseFrame, StopFrame>;

// ---- server frames ----------------------------------------------------------

struct StartedFrame {
  std::string session_id;
  uint32_t max_in_flight_records = 0;
  uint64_t max_in_flight_bytes = 0;
  uint32_t max_attempts = 1;
  absl::Duration drain_timeout;
};

struct AssignedFrame {
  std::vector<PartitionOffset> partitions;
};

struct RevokedFrame {
  uint64_t revocation_id = 0;
  std::vector<TopicPartition> partitions;
  bool lost = false;
};

struct Delivery {
  RecordPtr record;
  uint32_t attempt = 1;
};

// Deliveries of one partition with consecutive ids from `first_id`.
struct DeliveriesFrame {
  TopicPartition tp;
  DeliveryId first_id;
  std::vector<Delivery> deliveries;
};

struct WithdrawnFrame {
  TopicPartition tp;
  DeliveryId through;
};

struct CommittedFrame {
  std::vector<PartitionOffset> positions;
};

struct NoticeFrame {
  bool warning = false;
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string message;
};

using StopReason = delivery::DrainCause;

struct DrainingFrame {
  StopReason reason = StopReason::kClient;
  absl::Duration timeout;
};

// Counts since a session began; see the API's SessionTotals.
using SessionTotals = delivery::Totals;

struct StoppedFrame {
  StopReason reason = StopReason::kClient;
  std::string message;
  std::optional<PartitionOffset> failed_record;
  SessionTotals totals;
  std::vector<PartitionOffset> committed;
  bool clean = true;
  uint64_t unacked = 0;
};

using ServerFrame = std::variant<StartedFrame, AssignedFrame, RevokedFrame, DeliveriesFrame, WithdrawnFrame,
                                 CommittedFrame, NoticeFrame, DrainingFrame, StoppedFrame>;

// ---- the two ends -----------------------------------------------------------

// Where a session's frames go. What Send queues is bounded by the session's
// credits: the engine never has more records out than the window allows.
class SessionStream {
 public:
  virtual ~SessionStream() = default;

  // Queues a frame, in order; drops it when the stream is broken. Engine thread.
  virtual void Send(ServerFrame frame) = 0;

  // The engine has handled the last OnFrame: read the next. Engine thread.
  virtual void ReadNext() = 0;

  // Ends the call after all that was sent. Once, last. Engine thread.
  virtual void Finish(absl::Status status) = 0;
};

// A running session. Thread-safe; no method blocks.
class Session {
 public:
  virtual ~Session() = default;

  // A frame from the client. rpc has one in progress at a time: it reads the
  // next after ReadNext, which bounds what a hostile client can queue.
  virtual void OnFrame(ClientFrame frame) = 0;

  // The client sends nothing more; the stream is still open towards it.
  virtual void OnHalfClose() = 0;

  // The stream is broken or cancelled: nothing reaches the client any more.
  // The engine still calls Finish.
  virtual void OnBroken() = 0;
};

}  // namespace datapy_kafka::ports
