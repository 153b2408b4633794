#include "utf8.h"

#include <cstdint>
#include <cstring>

namespace datapy_kafka::rpc {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080;

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the character that begins at `p` (`left` > 0 bytes remain), or
// 0 when it is ill-formed.
size_t CharacterLength(const unsigned char* p, size_t left) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a stray continuation, or an overlong pair
  if (lead < 0xE0) return left >= 2 && IsContinuation(p[1]) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !IsContinuation(p[1]) || !IsContinuation(p[2])) return 0;
    if (lead == 0xE0 && p[1] < 0xA0) return 0;   // overlong
    if (lead == 0xED && p[1] >= 0xA0) return 0;  // surrogates
    return 3;
  }
  if (lead > 0xF4) return 0;
  if (left < 4 || !IsContinuation(p[1]) || !IsContinuation(p[2]) || !IsContinuation(p[3])) return 0;
  if (lead == 0xF0 && p[1] < 0x90) return 0;   // overlong
  if (lead == 0xF4 && p[1] >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

}  // namespace

bool IsValidUtf8(absl::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  size_t left = text.size();
  while (left > 0) {
    while (left >= 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      if ((word & kHighBits) != 0) break;
      p += 8;
      left -= 8;
    }
    // At most the ASCII bytes of one word, then one longer character.
    while (left > 0 && *p < 0x80) {
      ++p;
      --left;
    }
    if (left == 0) return true;
    const size_t length = CharacterLength(p, left);
    if (length == 0) return false;
    p += length;
    left -= length;
  }
  return true;
}

std::string ToValidUtf8(absl::string_view text, size_t max_bytes) {
  std::string valid;
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  size_t left = text.size();
  while (left > 0) {
    const size_t length = CharacterLength(p, left);
    const size_t step = length == 0 ? 1 : length;
    if (valid.size() + step > max_bytes) break;
    if (length == 0) {
      valid.push_back('?');
    } else {
      valid.append(reinterpret_cast<const char*>(p), length);
    }
    p += step;
    left -= step;
  }
  return valid;
}

}  // namespace datapy_kafka::rpc
