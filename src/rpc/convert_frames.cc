#include "convert_frames.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"
#include "utf8.h"

namespace datapy_kafka::rpc {
namespace {

absl::Status TooMany(absl::string_view what, int count) {
  return ErrorBuilder(ErrorReason::kResourceExhausted)
      .Build(absl::StrCat("an ack frame holds ", count, " ", what, "; ", kMaxAckEntries,
                          " are the most, send the rest in further frames"));
}

absl::StatusOr<ports::AckFrame> ConvertAck(const v1::Ack& ack) {
  if (ack.ranges_size() > kMaxAckEntries) return TooMany("ranges", ack.ranges_size());
  if (ack.nacks_size() > kMaxAckEntries) return TooMany("nacks", ack.nacks_size());
  ports::AckFrame frame;
  frame.ranges.reserve(ack.ranges_size());
  for (const v1::DeliveryRange& range : ack.ranges()) {
    const uint64_t last = range.last_id() == 0 ? range.first_id() : range.last_id();
    if (last < range.first_id()) {
      return ErrorBuilder(ErrorReason::kInvalidArgument)
          .Build(absl::StrCat("an ack range ends at ", last, ", before its beginning ", range.first_id()));
    }
    frame.ranges.push_back({DeliveryId(range.first_id()), DeliveryId(last)});
  }
  frame.nacks.reserve(ack.nacks_size());
  for (const v1::Nack& nack : ack.nacks()) {
    if (!v1::NackReason_IsValid(nack.reason())) {
      return ErrorBuilder(ErrorReason::kInvalidArgument)
          .Build(absl::StrCat("the nack reason ", static_cast<int>(nack.reason()),
                              " is unknown; use FAILED or STOPPING"));
    }
    frame.nacks.push_back({DeliveryId(nack.delivery_id()), ToValidUtf8(nack.error(), kMaxNackText),
                           nack.reason() == v1::NACK_REASON_STOPPING});
  }
  return frame;
}

}  // namespace

absl::StatusOr<ports::ClientFrame> ConvertClientFrame(const v1::ConsumeRequest& message) {
  switch (message.frame_case()) {
    case v1::ConsumeRequest::kAck: {
      absl::StatusOr<ports::AckFrame> ack = ConvertAck(message.ack());
      if (!ack.ok()) return ack.status();
      return *std::move(ack);
    }
    case v1::ConsumeRequest::kRelease:
      return ports::ReleaseFrame{message.release().revocation_id()};
    case v1::ConsumeRequest::kStop:
      return ports::StopFrame{ToValidUtf8(message.stop().reason(), kMaxNackText)};
    case v1::ConsumeRequest::kStart:
      return ErrorBuilder(ErrorReason::kInvalidArgument)
          .Build("a second start on one stream; open another Consume call for another session");
    case v1::ConsumeRequest::FRAME_NOT_SET:
      break;
  }
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .Build(
          "a frame without content, or of a kind that this version does not know; send ack, release or stop");
}

}  // namespace datapy_kafka::rpc
