// Writes a message in protobuf's wire format, without a copy of what is large.
//
//   WireWriter writer(all that Tag, Varint, Message and Copy will write);
//   writer.Tag(kTag), writer.Varint(size), writer.Copy(text) ...
//   grpc::ByteBuffer frame = std::move(writer).Finish();
//
// What is small is copied into one block; a large value is lent by its record,
// which lives until gRPC has sent it. One thread at a time.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "datapy_kafka/ports/record.h"

namespace datapy_kafka::rpc {

class WireWriter {
 public:
  explicit WireWriter(size_t copied_bytes);

  void Tag(uint32_t tag) { Varint(tag); }
  void Varint(uint32_t value);
  // `message`, whose ByteSizeLong() was asked for since it changed.
  void Message(const google::protobuf::MessageLite& message);
  void Copy(absl::string_view bytes);
  // `bytes` are `record`'s.
  void Lend(absl::string_view bytes, ports::RecordPtr record);

  grpc::ByteBuffer Finish() &&;

  // The bytes that Varint(value) writes.
  static size_t VarintSize(uint32_t value);

 private:
  // What was copied since the last cut becomes a piece.
  void Cut();

  grpc::Slice block_;
  uint8_t* at_;
  size_t cut_ = 0;  // bytes of the block that are pieces
  std::vector<grpc::Slice> pieces_;
};

}  // namespace datapy_kafka::rpc
