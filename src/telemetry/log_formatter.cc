#include "log_formatter.h"

#include <spdlog/details/log_msg.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace datapy_kafka::telemetry {
namespace {

constexpr char kLogger[] = "kafka_sidecar";

absl::string_view LevelOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "DEBUG";
    case spdlog::level::info:
      return "INFO";
    case spdlog::level::warn:
      return "WARNING";
    case spdlog::level::err:
      return "ERROR";
    default:
      return "CRITICAL";
  }
}

// The length of the well-formed UTF-8 sequence (RFC 3629) that `text` begins
// with; 0 when it begins with none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

void AppendEscape(unsigned char c, std::string* out) {
  if (c == '\n') {
    *out += "\\n";
  } else if (c == '\r') {
    *out += "\\r";
  } else if (c == '\t') {
    *out += "\\t";
  } else {
    absl::StrAppend(out, "\\u", absl::Hex(c, absl::kZeroPad4));
  }
}

// A message may hold a job's own text: it must not begin a line of its own, nor
// end a JSON string, nor make the log something else than UTF-8. `json` escapes
// what JSON needs besides.
void AppendEscaped(absl::string_view text, bool json, std::string* out) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const size_t length = Utf8Length(text);
    // U+0080 to U+009F control terminals as their seven-bit forms do.
    const bool upper_control = length == 2 && c == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0) {
      *out += "\xEF\xBF\xBD";  // U+FFFD
    } else if (upper_control) {
      AppendEscape(static_cast<unsigned char>(text[1]), out);
    } else if (absl::ascii_iscntrl(c)) {
      AppendEscape(c, out);
    } else {
      if (json && (c == '"' || c == '\\')) *out += '\\';
      out->append(text.data(), length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

class Formatter final : public spdlog::formatter {
 public:
  explicit Formatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const absl::Time time = absl::FromChrono(message.time);
    const absl::string_view payload(message.payload.data(), message.payload.size());
    std::string line;
    if (format_ == LogFormat::kJson) {
      line = absl::StrCat("{\"ts\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()),
                          "\",\"level\":\"", absl::AsciiStrToLower(LevelOf(message.level)), "\",\"logger\":\"",
                          kLogger, "\",\"message\":\"");
      AppendEscaped(payload, /*json=*/true, &line);
      line += "\"}\n";
    } else {
      line = absl::StrCat(absl::FormatTime("%Y-%m-%d %H:%M:%E3S", time, absl::UTCTimeZone()), "\t",
                          LevelOf(message.level), "\t", kLogger, "\t");
      AppendEscaped(payload, /*json=*/false, &line);
      line += '\n';
    }
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<Formatter>(format_); }

 private:
  const LogFormat format_;
};

}  // namespace

std::unique_ptr<spdlog::formatter> MakeFormatter(LogFormat format) {
  return std::make_unique<Formatter>(format);
}

}  // namespace datapy_kafka::telemetry
