#include "convert_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::rpc {
namespace {

bool HasOtherFields(const v1::Connection& message) {
  return !message.bootstrap_servers().empty() ||
         message.security_protocol() != v1::SECURITY_PROTOCOL_UNSPECIFIED || message.has_sasl() ||
         message.has_tls() || !message.properties().empty();
}

void ReadSasl(const v1::SaslCredentials& sasl, config::ConnectionOptions* options, Problems* problems) {
  if (!v1::SaslMechanism_IsValid(sasl.mechanism())) {
    problems->Add(absl::StrCat("connection.sasl.mechanism ", static_cast<int>(sasl.mechanism()),
                               " is unknown; use PLAIN, SCRAM_SHA_256 or SCRAM_SHA_512"));
  } else if (sasl.mechanism() != v1::SASL_MECHANISM_UNSPECIFIED) {
    options->sasl_mechanism = static_cast<config::SaslMechanism>(sasl.mechanism());
  }
  options->sasl_username = sasl.username();
  options->sasl_password = config::Secret(sasl.password());
}

void ReadTls(const v1::TlsCredentials& tls, config::ConnectionOptions* options) {
  options->ssl_ca_pem = tls.ca_pem();
  options->ssl_certificate_pem = tls.certificate_pem();
  options->ssl_key_pem = config::Secret(tls.private_key_pem());
  options->ssl_key_password = config::Secret(tls.private_key_password());
}

config::ConnectionOptions ReadOwn(const v1::Connection& message, Problems* problems) {
  config::ConnectionOptions options;
  options.bootstrap_servers = message.bootstrap_servers();
  if (!v1::SecurityProtocol_IsValid(message.security_protocol())) {
    problems->Add(absl::StrCat("connection.security_protocol ", static_cast<int>(message.security_protocol()),
                               " is unknown; use PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"));
  } else if (message.security_protocol() != v1::SECURITY_PROTOCOL_UNSPECIFIED) {
    options.security_protocol = static_cast<config::SecurityProtocol>(message.security_protocol());
  }
  if (message.has_sasl()) ReadSasl(message.sasl(), &options, problems);
  if (message.has_tls()) ReadTls(message.tls(), &options);
  options.properties = ConvertProperties(message.properties());
  return options;
}

}  // namespace

void Problems::Add(const absl::Status& status) {
  if (status.ok()) return;
  problems_.emplace_back(status.message());
  reason_ = GetErrorInfo(status).reason;
}

absl::Status Problems::ToStatus() const {
  if (problems_.empty()) return absl::OkStatus();
  return ErrorBuilder(reason_).Build(absl::StrJoin(problems_, "; "));
}

config::ConnectionOptions ConvertConnection(const v1::Connection& message, Backend* backend,
                                            Problems* problems) {
  if (message.name().empty()) return ReadOwn(message, problems);
  if (HasOtherFields(message)) {
    problems->Add(
        absl::StrCat("connection.name \"", message.name(),
                     "\" stands with other fields of the connection; give the name alone, or the rest"));
    return {};
  }
  absl::StatusOr<config::ConnectionOptions> configured = backend->ResolveConnection(message.name());
  if (!configured.ok()) {
    problems->Add(configured.status());
    return {};
  }
  configured->name = message.name();
  return *std::move(configured);
}

absl::StatusOr<config::ConnectionOptions> CheckedConnection(bool present, const v1::Connection& message,
                                                            Backend* backend) {
  Problems problems;
  if (!present) problems.Add("connection is missing");
  config::ConnectionOptions options;
  if (present) options = ConvertConnection(message, backend, &problems);
  // What the daemon's own configuration says was checked when it was read.
  if (problems.empty() && options.name.empty()) problems.Add(config::ValidateConnection(options));
  if (!problems.empty()) return problems.ToStatus();
  return options;
}

config::Properties ConvertProperties(const google::protobuf::Map<std::string, std::string>& properties) {
  return config::Properties(properties.begin(), properties.end());
}

}  // namespace datapy_kafka::rpc
