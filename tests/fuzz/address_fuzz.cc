// Any text as an address: it is refused, or what it was read as is read again
// as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "rpc/address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace datapy_kafka::rpc;
  const auto address = ParseAddress(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!address.ok()) return 0;
  if (address->path.size() > kMaxSocketPath) std::abort();
  const auto again = ParseAddress(ToString(*address));
  if (!again.ok() || again->kind != address->kind || again->path != address->path ||
      again->host != address->host || again->port != address->port || again->loopback != address->loopback) {
    std::abort();
  }
  return 0;
}
