#include "connection_source.h"

#include <array>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "problems.h"
#include "text_file.h"

namespace datapy_kafka::config {
namespace {

constexpr size_t kMaxTextFile = 1u << 20;

// Reads one connection's keys, gathering what is wrong with all of them.
class Reader {
 public:
  Reader(std::string directory, const Environment& environment, Problems* problems)
      : directory_(std::move(directory)), environment_(environment), problems_(problems) {}

  std::string Text(absl::string_view key, const v1::TextSource& source, bool secret) {
    switch (source.source_case()) {
      case v1::TextSource::kEnv:
        return FromEnvironment(key, source.env());
      case v1::TextSource::kFile:
        return FromFile(key, source.file());
      case v1::TextSource::kValue:
        if (secret) {
          problems_->Add(key,
                         " is written in the file: a secret takes {\"env\": \"NAME\"} or {\"file\": \"path\"}");
          return "";
        }
        return source.value();
      case v1::TextSource::SOURCE_NOT_SET:
        return "";
    }
    return "";
  }

  std::string FromEnvironment(absl::string_view key, const std::string& variable) {
    if (const auto value = environment_(variable)) return *value;
    problems_->Add(key, " names the environment variable ", variable, ", which is not set");
    return "";
  }

  std::string FromFile(absl::string_view key, const std::string& path) {
    const std::string full = (std::filesystem::path(directory_) / path).string();
    absl::StatusOr<std::string> text = ReadTextFile(full, key, kMaxTextFile);
    if (!text.ok()) {
      problems_->Add(text.status().message());
      return "";
    }
    if (text->find('\0') != std::string::npos) {
      // librdkafka would cut it there and the login fail without a word why.
      problems_->Add(key, " from ", full, " holds a zero byte: it takes text");
      return "";
    }
    return std::string(absl::StripSuffix(absl::StripSuffix(*text, "\n"), "\r"));
  }

 private:
  const std::string directory_;
  const Environment& environment_;
  Problems* const problems_;
};

template <typename Enum, size_t kSize>
Enum OneOf(absl::string_view key, const std::string& text, const std::array<Enum, kSize>& values,
           Problems* problems) {
  std::string accepted;
  for (const Enum value : values) {
    if (text == ToString(value)) return value;
    absl::StrAppend(&accepted, accepted.empty() ? "" : ", ", ToString(value));
  }
  if (!text.empty()) problems->Add(key, " is \"", text, "\": it takes ", accepted);
  return values[0];
}

constexpr std::array kProtocols = {SecurityProtocol::kPlaintext, SecurityProtocol::kSsl,
                                   SecurityProtocol::kSaslPlaintext, SecurityProtocol::kSaslSsl};
constexpr std::array kMechanisms = {SaslMechanism::kPlain, SaslMechanism::kScramSha256,
                                    SaslMechanism::kScramSha512};

absl::StatusOr<ConnectionOptions> Checked(ConnectionOptions connection, const Problems& problems,
                                          absl::string_view where) {
  absl::Status status = problems.ToStatus(ErrorReason::kInvalidArgument);
  if (status.ok()) status = ValidateConnection(connection);
  if (status.ok()) return connection;
  return ErrorBuilder(GetErrorInfo(status).reason).Build(absl::StrCat(where, ": ", status.message()));
}

}  // namespace

absl::StatusOr<ConnectionOptions> MakeConnection(const std::string& name, const v1::ConnectionConfig& source,
                                                 const std::string& directory, const Environment& environment) {
  Problems problems;
  Reader reader(directory, environment, &problems);
  ConnectionOptions connection;
  connection.name = name;
  connection.bootstrap_servers = reader.Text("bootstrap_servers", source.bootstrap_servers(), false);
  connection.security_protocol = OneOf("security_protocol", source.security_protocol(), kProtocols, &problems);
  connection.sasl_mechanism = OneOf("sasl_mechanism", source.sasl_mechanism(), kMechanisms, &problems);
  connection.sasl_username = reader.Text("sasl_username", source.sasl_username(), false);
  connection.sasl_password = Secret(reader.Text("sasl_password", source.sasl_password(), true));
  connection.ssl_ca_pem = reader.Text("ssl_ca", source.ssl_ca(), false);
  connection.ssl_certificate_pem = reader.Text("ssl_certificate", source.ssl_certificate(), false);
  connection.ssl_key_pem = Secret(reader.Text("ssl_key", source.ssl_key(), true));
  connection.ssl_key_password = Secret(reader.Text("ssl_key_password", source.ssl_key_password(), true));
  connection.properties.insert(source.properties().begin(), source.properties().end());
  return Checked(std::move(connection), problems, absl::StrCat("connection \"", name, "\""));
}

absl::StatusOr<std::optional<ConnectionOptions>> ConnectionFromEnvironment(const Environment& environment) {
  const std::optional<std::string> servers = environment("KAFKA_BOOTSTRAP_SERVERS");
  if (!servers || servers->empty()) return std::nullopt;
  Problems problems;
  Reader reader("", environment, &problems);
  const auto text = [&](const char* variable) { return environment(variable).value_or(""); };
  const auto file = [&](const char* variable) {
    const std::string path = text(variable);
    return path.empty() ? "" : reader.FromFile(variable, path);
  };
  ConnectionOptions connection;
  connection.name = "default";
  connection.bootstrap_servers = *servers;
  connection.sasl_username = text("KAFKA_USERNAME");
  connection.sasl_password = Secret(text("KAFKA_PASSWORD"));
  connection.ssl_ca_pem = file("KAFKA_SSL_CA_LOCATION");
  connection.ssl_certificate_pem = file("KAFKA_SSL_CERT_LOCATION");
  connection.ssl_key_pem = Secret(file("KAFKA_SSL_KEY_LOCATION"));
  connection.ssl_key_password = Secret(text("KAFKA_SSL_KEY_PASSWORD"));
  connection.sasl_mechanism =
      OneOf("KAFKA_SASL_MECHANISM", text("KAFKA_SASL_MECHANISM"), kMechanisms, &problems);
  std::string protocol = text("KAFKA_SECURITY_PROTOCOL");
  if (protocol.empty()) {
    // The documents' manifest sets a user and no protocol: a password is not
    // sent in the clear unless somebody asks for it by name.
    const bool login = !connection.sasl_username.empty();
    const bool certificates = !connection.ssl_ca_pem.empty() || !connection.ssl_certificate_pem.empty();
    protocol = std::string(ToString(login          ? SecurityProtocol::kSaslSsl
                                    : certificates ? SecurityProtocol::kSsl
                                                   : SecurityProtocol::kPlaintext));
  }
  connection.security_protocol = OneOf("KAFKA_SECURITY_PROTOCOL", protocol, kProtocols, &problems);
  absl::StatusOr<ConnectionOptions> checked =
      Checked(std::move(connection), problems, "the connection of KAFKA_BOOTSTRAP_SERVERS");
  if (!checked.ok()) return checked.status();
  return *std::move(checked);
}

}  // namespace datapy_kafka::config
