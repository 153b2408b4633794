// Bytes of a hostile client as a frame: they are refused, or become a frame
// that keeps the session's promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "datapy_kafka/v1/sidecar.pb.h"
#include "rpc/convert_frames.h"
#include "rpc/request_parser.h"
#include "rpc/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace datapy_kafka;
  const grpc::Slice slice(data, size);
  grpc::ByteBuffer bytes(&slice, 1);
  v1::ConsumeRequest message;
  const auto entries = rpc::ParseRequest(&bytes, &message);
  // What counts the parts of a request and what parses it agree.
  v1::ConsumeRequest again;
  const bool valid = again.ParseFromArray(data, static_cast<int>(size));
  if (entries.ok() != (valid && size / 2 <= rpc::kMaxRequestEntries)) std::abort();
  if (!entries.ok()) return 0;
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
