// Reads a request of a client that may mean harm.
//
// A submessage of two bytes on the wire takes a hundred in memory: a request
// within max_request_bytes could take gigabytes. So what a request holds is
// counted before anything is made of it.
//
// Thread-safe.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace datapy_kafka::rpc {

// Texts, submessages and fields of no known name that a request may hold; a
// line of a text that holds many records counts as a text.
inline constexpr size_t kMaxRequestEntries = 500'000;

// Says that a message of this type held more, with kResourceExhausted.
absl::Status TooManyEntries(const google::protobuf::Message& message);

// Parses `bytes` into `message` and empties `bytes`; how many entries it held.
// kResourceExhausted above kMaxRequestEntries, kInvalidArgument when it is no
// such message; `message` is not to be used then.
absl::StatusOr<size_t> ParseRequest(grpc::ByteBuffer* bytes, google::protobuf::Message* message);

// What calls that are open may take of something: of memory, of places.
class RequestBudget {
 public:
  explicit RequestBudget(uint64_t limit) : limit_(limit) {}

  // Takes `amount` until the answer is destroyed; null when that is more than is
  // left. A single taker is always let in.
  static std::shared_ptr<void> Take(const std::shared_ptr<RequestBudget>& budget, uint64_t amount);

  uint64_t limit() const { return limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> taken_{0};
};

}  // namespace datapy_kafka::rpc
