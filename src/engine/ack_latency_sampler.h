// Measures the time from delivery to ack on one record at a time: a sample is
// enough for a histogram and costs nothing on the others. Engine thread.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "datapy_kafka/base/types.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/ports/status.h"

namespace datapy_kafka::engine {

class AckLatencySampler {
 public:
  // A delivery went out; taken as the sample when there is none.
  void Delivered(DeliveryId id, absl::Time now) {
    if (!sample_) sample_ = Sample{id, now};
  }

  // Acks came in; the sample counts when it is among them.
  void Acked(const ports::AckFrame& frame, absl::Time now, ports::LatencyHistogram* histogram) {
    if (!sample_) return;
    for (const ports::DeliveryRange& range : frame.ranges) {
      if (range.first <= sample_->id && sample_->id <= range.last) {
        histogram->Observe(now - sample_->delivered_at);
        sample_.reset();
        return;
      }
    }
    for (const ports::Nack& nack : frame.nacks) {
      if (nack.id == sample_->id) return sample_.reset();
    }
  }

  // The sample may never be acked: withdrawn, revoked.
  void Forget() { sample_.reset(); }

 private:
  struct Sample {
    DeliveryId id;
    absl::Time delivered_at;
  };
  std::optional<Sample> sample_;
};

}  // namespace datapy_kafka::engine
