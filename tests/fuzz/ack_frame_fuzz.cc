// Bytes of a hostile client as a frame: they are refused, or become a frame
// that keeps the session's promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "datapy_kafka/v1/sidecar.pb.h"
#include "rpc/convert_frames.h"
#include "rpc/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace datapy_kafka;
  v1::ConsumeRequest message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto frame = rpc::ConvertClientFrame(message);
  if (!frame.ok()) return 0;
  if (const auto* ack = std::get_if<ports::AckFrame>(&*frame)) {
    for (const ports::DeliveryRange& range : ack->ranges) {
      if (range.last < range.first) std::abort();
    }
    for (const ports::Nack& nack : ack->nacks) {
      if (nack.error.size() > rpc::kMaxNackText || !rpc::IsValidUtf8(nack.error)) std::abort();
    }
  }
  return 0;
}
