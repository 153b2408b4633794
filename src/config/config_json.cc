#include "config_json.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::config {
namespace {

// Where a syntax error is. The parser shows the text around it and, in the line
// below, a caret; that text may be a secret, so only its place is told.
std::string LineOf(absl::string_view text, absl::string_view message) {
  const size_t first = message.find('\n');
  const size_t last = message.rfind('\n');
  if (first == last) return "";
  const absl::string_view around = message.substr(first + 1, last - first - 1);
  const size_t caret = message.size() - last - 2;  // blanks before it
  const size_t found = text.find(around);
  if (around.empty() || found == absl::string_view::npos ||
      text.find(around, found + 1) != absl::string_view::npos)
    return "";
  const absl::string_view before = text.substr(0, found + std::min(caret, around.size()));
  return absl::StrCat("line ", 1 + std::count(before.begin(), before.end(), '\n'), ": ");
}

// `(connections[0].value.sasl_password): invalid value "hunter2" for type X`
// without the value.
std::string WithoutValue(absl::string_view message) {
  constexpr absl::string_view kValue = "invalid value ";
  constexpr absl::string_view kType = " for type ";
  const size_t value = message.find(kValue);
  if (value == absl::string_view::npos) return std::string(message);
  const size_t type = message.rfind(kType);
  const absl::string_view name = type == absl::string_view::npos ? "" : message.substr(type + kType.size());
  std::string what = absl::StrCat(message.substr(0, value), "invalid value");
  if (absl::EndsWith(name, "TextSource")) {
    absl::StrAppend(&what, R"(: it takes {"env": "NAME"}, {"file": "path"} or {"value": "text"})");
  } else if (!name.empty() && name.find_first_of("\"'") == absl::string_view::npos) {
    absl::StrAppend(&what, " for type ", name);
  }
  return what;
}

}  // namespace

absl::StatusOr<v1::SidecarConfig> ParseConfigJson(absl::string_view text) {
  v1::SidecarConfig config;
  google::protobuf::util::JsonParseOptions strict;
  strict.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &config, strict);
  if (status.ok()) return config;
  const std::string message(status.message().data(), status.message().size());
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .Build(absl::StrCat("it is no valid JSON of SidecarConfig: ", LineOf(text, message),
                          // A value may hold a line break: what follows the first is never told.
                          WithoutValue(absl::string_view(message).substr(0, message.find('\n')))));
}

}  // namespace datapy_kafka::config
