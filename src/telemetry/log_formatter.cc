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

// A message may hold a job's own text: it must not begin a line of its own, nor
// end a JSON string. `json` escapes what JSON needs besides.
void AppendEscaped(absl::string_view text, bool json, std::string* out) {
  for (const char c : text) {
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppend(out, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      if (json && (c == '"' || c == '\\')) *out += '\\';
      *out += c;
    }
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
