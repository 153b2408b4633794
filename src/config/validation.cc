// What a connection and a session may ask for.
#include <algorithm>
#include <regex>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "datapy_kafka/config/options.h"
#include "problems.h"
#include "property_rules.h"

namespace datapy_kafka::config {
namespace {

constexpr size_t kMaxTopicName = 249;  // Kafka's own limit
constexpr size_t kMaxGroupId = 255;
constexpr size_t kMaxTopics = 1000;
constexpr size_t kMaxPattern = 1024;
constexpr absl::Duration kMaxTimeout = absl::Hours(24);

// A context that was not loaded leaves "${a.b}" as it is.
bool IsUnresolved(absl::string_view text) {
  const size_t begin = text.find("${");
  return begin != absl::string_view::npos && text.find('}', begin) != absl::string_view::npos;
}

// "host:port", "host", "[::1]:port"; letters, digits and what addresses have.
bool IsHostPort(absl::string_view address) {
  absl::string_view host = address;
  absl::string_view port;
  if (absl::StartsWith(address, "[")) {
    const size_t close = address.find(']');
    if (close == absl::string_view::npos) return false;
    host = address.substr(1, close - 1);
    port = address.substr(close + 1);
  } else if (const size_t colon = address.find(':'); colon != absl::string_view::npos) {
    host = address.substr(0, colon);
    port = address.substr(colon);
  }
  if (!port.empty()) {
    int number = 0;
    if (!absl::ConsumePrefix(&port, ":") || port.empty() ||
        !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
        !absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
      return false;
    }
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == ':' ||
           c == '%';
  });
}

void CheckServers(absl::string_view servers, Problems* problems) {
  if (servers.empty()) {
    problems->Add("bootstrap_servers is missing: it takes host:port, comma-separated");
    return;
  }
  if (IsUnresolved(servers)) {
    problems->Add("bootstrap_servers is \"", servers,
                  "\", a placeholder that nothing filled in: load the context");
    return;
  }
  if (absl::StrContains(servers, '@')) {
    // Not shown: what stands before the '@' may be a password.
    problems->Add("bootstrap_servers holds a '@': it takes host:port, comma-separated, and the login goes to ",
                  "sasl_username and sasl_password");
    return;
  }
  for (const absl::string_view one : absl::StrSplit(servers, ',')) {
    if (!IsHostPort(absl::StripAsciiWhitespace(one))) {
      problems->Add("bootstrap_servers holds \"", one, "\": it takes host:port, comma-separated");
    }
  }
}

void CheckSasl(const ConnectionOptions& options, Problems* problems) {
  if (!options.UsesSasl()) {
    if (!options.sasl_username.empty() || !options.sasl_password.empty()) {
      problems->Add("sasl credentials are given, but security_protocol ", ToString(options.security_protocol),
                    " does not use them: it takes SASL_PLAINTEXT or SASL_SSL for that");
    }
    return;
  }
  if (options.sasl_username.empty()) {
    problems->Add("sasl_username is missing: ", ToString(options.security_protocol), " needs it");
  } else if (IsUnresolved(options.sasl_username)) {
    problems->Add("sasl_username is a placeholder that nothing filled in: load the context");
  }
  if (options.sasl_password.empty()) {
    problems->Add("sasl_password is missing: ", ToString(options.security_protocol), " needs it");
  } else if (absl::StartsWith(options.sasl_password.Reveal(), "${") &&
             absl::EndsWith(options.sasl_password.Reveal(), "}")) {
    problems->Add("sasl_password is a placeholder that nothing filled in: load the context");
  }
}

void CheckPem(absl::string_view pem, absl::string_view name, Problems* problems) {
  if (!pem.empty() && !absl::StrContains(pem, "-----BEGIN ")) {
    problems->Add(name, " is no PEM text: it begins with -----BEGIN");
  }
}

void CheckTls(const ConnectionOptions& options, Problems* problems) {
  const bool any = !options.ssl_ca_pem.empty() || !options.ssl_certificate_pem.empty() ||
                   !options.ssl_key_pem.empty() || !options.ssl_key_password.empty();
  if (any && !options.UsesTls()) {
    problems->Add("certificates are given, but security_protocol ", ToString(options.security_protocol),
                  " does not use them: it takes SSL or SASL_SSL for that");
    return;
  }
  if (options.ssl_certificate_pem.empty() != options.ssl_key_pem.empty()) {
    problems->Add(options.ssl_key_pem.empty() ? "ssl_key is missing beside ssl_certificate"
                                              : "ssl_certificate is missing beside ssl_key",
                  ": mutual TLS needs both");
  }
  CheckPem(options.ssl_ca_pem, "ssl_ca", problems);
  CheckPem(options.ssl_certificate_pem, "ssl_certificate", problems);
  CheckPem(options.ssl_key_pem.Reveal(), "ssl_key", problems);
}

void CheckTopic(const std::string& topic, Problems* problems) {
  if (IsUnresolved(topic)) {
    problems->Add("topics holds \"", topic, "\", a placeholder that nothing filled in: load the context");
    return;
  }
  if (absl::StartsWith(topic, "^")) {
    // librdkafka's own expressions are POSIX extended ones.
    bool valid = topic.size() <= kMaxPattern;
    try {
      if (valid) std::regex check(topic, std::regex::extended);
    } catch (const std::regex_error&) {
      valid = false;
    }
    if (!valid)
      problems->Add("topics holds \"", topic.substr(0, 100), "\", which is no valid regular expression");
    return;
  }
  const bool valid =
      !topic.empty() && topic.size() <= kMaxTopicName && topic != "." && topic != ".." &&
      std::all_of(topic.begin(), topic.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
      });
  if (!valid) {
    problems->Add(
        "topics holds \"", topic.substr(0, 100),
        "\": a name has 1 to 249 letters, digits, '.', '_' and '-', or begins with ^ as an expression");
  }
}

void CheckDuration(absl::Duration value, absl::Duration least, absl::string_view name, Problems* problems) {
  if (value < least || value > kMaxTimeout) {
    problems->Add(name, " is ", absl::FormatDuration(value), ": it takes ", absl::FormatDuration(least), " to ",
                  absl::FormatDuration(kMaxTimeout));
  }
}

void CheckPolicy(const FailurePolicy& policy, Problems* problems) {
  if (policy.max_retries > 1000) problems->Add("max_retries is ", policy.max_retries, ": it takes 0 to 1000");
  if (policy.backoff.empty() || policy.backoff.size() > 100) {
    problems->Add("retry_backoff_ms has ", policy.backoff.size(), " entries: it takes 1 to 100");
  }
  for (const absl::Duration backoff : policy.backoff) {
    if (backoff < absl::ZeroDuration() || backoff > absl::Hours(1)) {
      problems->Add("retry_backoff_ms holds ", absl::ToInt64Milliseconds(backoff), ": it takes 0 to 3600000");
      break;
    }
  }
}

}  // namespace

absl::Status ValidateConnection(const ConnectionOptions& options) {
  Problems problems;
  CheckServers(options.bootstrap_servers, &problems);
  CheckSasl(options, &problems);
  CheckTls(options, &problems);
  const bool only_properties = problems.empty();
  CheckConnectionProperties(options.properties, &problems);
  return problems.ToStatus(only_properties ? ErrorReason::kPropertyRefused : ErrorReason::kInvalidArgument);
}

absl::Status ValidateSession(const SessionOptions& options) {
  Problems problems;
  if (options.topics.empty()) problems.Add("topics is empty: it takes at least one topic");
  if (options.topics.size() > kMaxTopics)
    problems.Add("topics has ", options.topics.size(), " entries: it takes 1000");
  for (const std::string& topic : options.topics) CheckTopic(topic, &problems);
  if (options.group_id.empty()) problems.Add("group_id is missing");
  if (options.group_id.size() > kMaxGroupId) problems.Add("group_id is longer than 255 characters");
  if (IsUnresolved(options.group_id)) {
    problems.Add("group_id is \"", options.group_id,
                 "\", a placeholder that nothing filled in: load the context");
  }
  CheckPolicy(options.failure_policy, &problems);
  if (options.max_in_flight_records == 0) problems.Add("max_in_flight_records is 0: it takes 1 or more");
  if (options.max_in_flight_bytes == 0) problems.Add("max_in_flight_bytes is 0: it takes 1 or more");
  CheckDuration(options.drain_timeout, absl::ZeroDuration(), "drain_timeout", &problems);
  if (options.ack_timeout) CheckDuration(*options.ack_timeout, absl::Milliseconds(1), "ack_timeout", &problems);
  CheckDuration(options.commit_report_interval, absl::ZeroDuration(), "commit_report_interval", &problems);
  return problems.ToStatus(ErrorReason::kInvalidArgument);
}

}  // namespace datapy_kafka::config
