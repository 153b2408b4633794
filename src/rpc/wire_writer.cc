#include "wire_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpc/slice.h>

#include <cstring>
#include <memory>
#include <utility>

namespace datapy_kafka::rpc {

using google::protobuf::io::CodedOutputStream;

WireWriter::WireWriter(size_t copied_bytes)
    : block_(grpc_slice_malloc(copied_bytes), grpc::Slice::STEAL_REF),
      at_(const_cast<uint8_t*>(block_.begin())) {}

void WireWriter::Varint(uint32_t value) { at_ = CodedOutputStream::WriteVarint32ToArray(value, at_); }

void WireWriter::Message(const google::protobuf::MessageLite& message) {
  at_ = message.SerializeWithCachedSizesToArray(at_);
}

void WireWriter::Copy(absl::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(at_, bytes.data(), bytes.size());
  at_ += bytes.size();
}

void WireWriter::Lend(absl::string_view bytes, ports::RecordPtr record) {
  Cut();
  auto held = std::make_unique<ports::RecordPtr>(std::move(record));
  pieces_.emplace_back(
      const_cast<char*>(bytes.data()), bytes.size(),
      [](void* owned) { delete static_cast<ports::RecordPtr*>(owned); }, held.release());
}

void WireWriter::Cut() {
  const auto written = static_cast<size_t>(at_ - block_.begin());
  if (written > cut_) pieces_.push_back(block_.sub(cut_, written));
  cut_ = written;
}

grpc::ByteBuffer WireWriter::Finish() && {
  Cut();
  return {pieces_.data(), pieces_.size()};
}

size_t WireWriter::VarintSize(uint32_t value) { return CodedOutputStream::VarintSize32(value); }

}  // namespace datapy_kafka::rpc
