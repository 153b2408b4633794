#include "datapy_kafka/telemetry/logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"
#include "log_formatter.h"

namespace datapy_kafka::telemetry {
namespace {

absl::Status Refuse(absl::string_view flag, absl::string_view given, absl::string_view accepted) {
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .Build(absl::StrCat("--", flag, "=", given, ": it takes ", accepted));
}

}  // namespace

absl::Status SetUpLogging(absl::string_view level, absl::string_view format) {
  spdlog::level::level_enum threshold = spdlog::level::info;
  if (level == "debug") {
    threshold = spdlog::level::debug;
  } else if (level == "info") {
    threshold = spdlog::level::info;
  } else if (level == "warning") {
    threshold = spdlog::level::warn;
  } else if (level == "error") {
    threshold = spdlog::level::err;
  } else {
    return Refuse("log_level", level, "debug, info, warning, error");
  }
  if (format != "tab" && format != "json") return Refuse("log_format", format, "tab, json");

  auto logger =
      std::make_shared<spdlog::logger>("kafka_sidecar", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(MakeFormatter(format == "json" ? LogFormat::kJson : LogFormat::kTab));
  logger->set_level(threshold);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace datapy_kafka::telemetry
