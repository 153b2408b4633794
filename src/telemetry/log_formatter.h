// How a log line looks; see logging.h.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace datapy_kafka::telemetry {

enum class LogFormat { kTab, kJson };

std::unique_ptr<spdlog::formatter> MakeFormatter(LogFormat format);

}  // namespace datapy_kafka::telemetry
