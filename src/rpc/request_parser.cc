#include "request_parser.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Counts down `left` for each entry; false when there are more, or when the
// bytes are not a message, which is the parser's to say.
bool Count(CodedInputStream* in, const Descriptor* type, size_t* left) {
  while (const uint32_t tag = in->ReadTag()) {
    const FieldDescriptor* field = type->FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    const bool sized = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (field == nullptr || sized) {
      if (*left == 0) return false;
      --*left;
    }
    if (field == nullptr || !sized || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!WireFormatLite::SkipField(in, tag)) return false;
      continue;
    }
    int size;
    if (!in->ReadVarintSizeAsInt(&size)) return false;
    const CodedInputStream::Limit limit = in->PushLimit(size);
    if (!Count(in, field->message_type(), left)) return false;
    in->PopLimit(limit);
  }
  return true;
}

}  // namespace

absl::Status TooManyEntries(const google::protobuf::Message& message) {
  return ErrorBuilder(ErrorReason::kResourceExhausted)
      .Build(absl::StrCat("a ", message.GetDescriptor()->name(), " holds more than ", kMaxRequestEntries,
                          " texts, lines and messages; send the rest in further ones"));
}

absl::StatusOr<size_t> ParseRequest(grpc::ByteBuffer* bytes, google::protobuf::Message* message) {
  size_t left = kMaxRequestEntries;
  bool too_many;
  {
    // Both look at the bytes until they are gone.
    grpc::ProtoBufferReader reader(bytes);
    CodedInputStream in(&reader);
    // Types that hold themselves there are none of: this ends.
    too_many = !Count(&in, message->GetDescriptor(), &left) && left == 0;
  }
  if (too_many) {
    bytes->Clear();
    return TooManyEntries(*message);
  }
  const grpc::Status parsed = grpc::SerializationTraits<google::protobuf::Message>::Deserialize(bytes, message);
  bytes->Clear();
  if (!parsed.ok()) {
    return ErrorBuilder(ErrorReason::kInvalidArgument)
        .Build(absl::StrCat("what came is no ", message->GetDescriptor()->name(),
                            ": its bytes are not valid protobuf"));
  }
  return kMaxRequestEntries - left;
}

std::shared_ptr<void> RequestBudget::Take(const std::shared_ptr<RequestBudget>& budget, uint64_t amount) {
  uint64_t taken = budget->taken_.load();
  do {
    if (taken != 0 && (taken >= budget->limit_ || amount > budget->limit_ - taken)) return nullptr;
  } while (!budget->taken_.compare_exchange_weak(taken, taken + amount));
  return std::shared_ptr<void>(budget.get(), [budget, amount](void*) { budget->taken_.fetch_sub(amount); });
}

}  // namespace datapy_kafka::rpc
