// Whether bytes are well-formed UTF-8 (RFC 3629): what protobuf's `string`
// promises its readers. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace datapy_kafka::rpc {

// False for overlong forms, surrogates and code points above U+10FFFF too.
// Text that is all ASCII costs about a cycle for each eight bytes.
bool IsValidUtf8(absl::string_view text);

// `text` with each ill-formed byte replaced by '?', and cut to at most
// `max_bytes` without splitting a character.
std::string ToValidUtf8(absl::string_view text, size_t max_bytes);

}  // namespace datapy_kafka::rpc
