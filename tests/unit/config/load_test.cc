// The configuration file and the environment.
#include "datapy_kafka/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "datapy_kafka/base/error.h"

namespace datapy_kafka::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCanary[] = "hunter2-canary";
constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

class LoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "config-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  absl::StatusOr<FileOptions> LoadFile(const std::string& path) {
    return Load(path, [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  absl::StatusOr<FileOptions> LoadText(const std::string& text) {
    return LoadFile(Write("sidecar.json", text));
  }

  // The error of a file: one line that names the file and shows no secret.
  std::string ErrorOf(const std::string& text) {
    const absl::StatusOr<FileOptions> options = LoadText(text);
    if (options.ok()) return "";
    const std::string message(options.status().message());
    EXPECT_THAT(message, HasSubstr("sidecar.json"));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    EXPECT_THAT(message, Not(HasSubstr(kCanary)));
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetErrorInfo(options.status()).metadata["file"], (folder_ / "sidecar.json").string());
    return message;
  }
  std::string ErrorOfConnection(const std::string& keys) {
    return ErrorOf(R"({"connections": {"orders": {"bootstrap_servers": {"value": "kafka:9092"}, )" + keys +
                   "}}}");
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(LoadTest, NothingGivenIsNoConnectionAndTheDefaults) {
  const auto options = LoadFile("");
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->connections.empty());
  EXPECT_EQ(options->limits.max_sessions, 64u);
  EXPECT_FALSE(options->listener_tls.has_value());
}

TEST_F(LoadTest, AnEmptyObjectIsFine) { EXPECT_TRUE(LoadText("{}").ok()); }

TEST_F(LoadTest, AWholeFile) {
  Write("ca.pem", kPem);
  Write("password", std::string(kCanary) + "\r\n");
  environment_["USER_NAME"] = "app";
  const auto options = LoadText(R"({
    "connections": {"orders": {
      "bootstrap_servers": {"value": "a:9093,b:9093"},
      "security_protocol": "SASL_SSL",
      "sasl_mechanism": "SCRAM-SHA-512",
      "sasl_username": {"env": "USER_NAME"},
      "sasl_password": {"file": "password"},
      "ssl_ca": {"file": "ca.pem"},
      "properties": {"client.id": "sidecar"}}},
    "limits": {"max_sessions": 3, "idle_timeout_s": 5, "max_rpc_memory_bytes": "33554432"},
    "allowed_uids": [1000, 1001], "socket_group_access": true})");
  ASSERT_TRUE(options.ok()) << options.status();
  const ConnectionOptions& connection = options->connections.at("orders");
  EXPECT_EQ(connection.name, "orders");
  EXPECT_EQ(connection.bootstrap_servers, "a:9093,b:9093");
  EXPECT_EQ(connection.security_protocol, SecurityProtocol::kSaslSsl);
  EXPECT_EQ(connection.sasl_mechanism, SaslMechanism::kScramSha512);
  EXPECT_EQ(connection.sasl_username, "app");
  EXPECT_EQ(connection.sasl_password.Reveal(), kCanary) << "one line break is dropped";
  EXPECT_THAT(connection.ssl_ca_pem, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_EQ(connection.properties.at("client.id"), "sidecar");
  EXPECT_EQ(options->limits.max_sessions, 3u);
  EXPECT_EQ(options->limits.idle_timeout, absl::Seconds(5));
  EXPECT_EQ(options->limits.max_rpc_memory_bytes, 32u << 20);
  EXPECT_EQ(options->limits.max_producers, 32u) << "what is not given keeps its default";
  EXPECT_THAT(options->allowed_uids, ElementsAre(1000, 1001));
  EXPECT_TRUE(options->socket_group_access);
}

TEST_F(LoadTest, JsonThatIsWrongSaysWhere) {
  EXPECT_THAT(ErrorOf(R"({"limit": {}})"), HasSubstr("limit: Cannot find field"));
  EXPECT_THAT(ErrorOf(R"({"limits": {"max_session": 1}})"), HasSubstr("max_session: Cannot find field"));
  EXPECT_THAT(ErrorOf(R"({"limits": {"max_sessions": "many"}})"),
              HasSubstr("(limits.max_sessions): invalid value for type TYPE_UINT32"));
  EXPECT_THAT(ErrorOf(R"({"limits": {"max_sessions": -1}})"), HasSubstr("limits.max_sessions"));
  EXPECT_THAT(ErrorOf("{\n\"limits\": {},\n\"allowed_uids\": [1 2]}"), HasSubstr("line 3: "));
  EXPECT_THAT(ErrorOf("[1]"), HasSubstr("SidecarConfig"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("SidecarConfig"));
  EXPECT_THAT(ErrorOf("\xff\xfe"), HasSubstr("UTF-8"));
  EXPECT_THAT(ErrorOf(std::string("{}\0{", 4)), HasSubstr("SidecarConfig"));
  EXPECT_THAT(ErrorOf(std::string(100'000, '[')), HasSubstr("SidecarConfig"));
}

TEST_F(LoadTest, ASecretWhereItsSourceBelongsIsNotShown) {
  EXPECT_THAT(ErrorOfConnection(R"("sasl_password": "hunter2-canary")"),
              HasSubstr(R"(sasl_password): invalid value: it takes {"env": "NAME"})"));
  for (const char* keys : {
           R"("sasl_password": "hunter2-canary for type x")",
           R"("sasl_password": "two\nhunter2-canary")",
           R"("sasl_password": ["hunter2-canary"])",
           R"("sasl_password": {"env": {"x": "hunter2-canary"}})",
           R"("sasl_password": {"env": hunter2-canary})",
           R"("sasl_password": {"env": "hunter2-canary)",
           R"("sasl_password": {"value": "x" "hunter2-canary"})",
       }) {
    EXPECT_NE(ErrorOfConnection(keys), "") << keys;
  }
}

TEST_F(LoadTest, ASecretInTheFileIsRefused) {
  for (const std::string key : {"sasl_password", "ssl_key", "ssl_key_password"}) {
    EXPECT_THAT(ErrorOfConnection("\"" + key + R"(": {"value": "hunter2-canary"})"),
                HasSubstr("connection \"orders\": " + key + " is written in the file"));
  }
}

TEST_F(LoadTest, SourcesThatAreMissingAreNamed) {
  EXPECT_THAT(ErrorOfConnection(R"("sasl_username": {"env": "NO_SUCH"})"),
              HasSubstr("sasl_username names the environment variable NO_SUCH, which is not set"));
  EXPECT_THAT(ErrorOfConnection(R"("ssl_ca": {"file": "no/such.pem"})"),
              HasSubstr("cannot read ssl_ca from " + (folder_ / "no/such.pem").string() + ": No such file"));
  EXPECT_THAT(ErrorOf(R"({"connections": {"orders": {}}})"), HasSubstr("bootstrap_servers is missing"));
}

TEST_F(LoadTest, EveryConnectionAndKeyIsReportedAtOnce) {
  const std::string message = ErrorOf(R"({
    "connections": {
      "one": {"bootstrap_servers": {"env": "NO_SUCH"}, "security_protocol": "TLS", "sasl_mechanism": "GSSAPI"},
      "two": {"bootstrap_servers": {"value": "kafka:9092"}, "properties": {"debug": "all"}}},
    "limits": {"max_request_bytes": 1, "max_rpc_memory_bytes": 1, "max_producer_queue_bytes": 1},
    "listener_tls": {"certificate_file": "x.pem"}})");
  for (const char* part :
       {"connection \"one\"", "NO_SUCH", "security_protocol is \"TLS\": it takes PLAINTEXT, SSL", "\"GSSAPI\"",
        "connection \"two\"", "\"debug\"", "limits.max_request_bytes", "limits.max_rpc_memory_bytes",
        "limits.max_producer_queue_bytes", "listener_tls takes"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST_F(LoadTest, ARequestBeyondTwoGibibytesIsRefused) {
  EXPECT_THAT(ErrorOf(R"({"limits": {"max_request_bytes": "2147483648"}})"), HasSubstr("at most 2047 MiB"));
}

TEST_F(LoadTest, ListenerTlsIsRelativeToTheFileAndRead) {
  for (const char* name : {"cert.pem", "key.pem", "ca.pem"}) Write(name, kPem);
  const std::string tls = R"({"listener_tls": {"certificate_file": "cert.pem", "private_key_file": "key.pem",
                              "client_ca_file": ")";
  const auto options = LoadText(tls + (folder_ / "ca.pem").string() + "\"}}");
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_TRUE(options->listener_tls.has_value());
  EXPECT_EQ(options->listener_tls->certificate_file, (folder_ / "cert.pem").string());
  EXPECT_EQ(options->listener_tls->private_key_file, (folder_ / "key.pem").string());
  EXPECT_EQ(options->listener_tls->client_ca_file, (folder_ / "ca.pem").string());
  EXPECT_THAT(ErrorOf(tls + "gone.pem\"}}"), HasSubstr("gone.pem"));
}

TEST_F(LoadTest, FilesThatAreNoneAreRefusedAndDoNotBlock) {
  const std::string fifo = (folder_ / "fifo").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string huge = Write("huge", "");
  std::filesystem::resize_file(huge, (1u << 20) + 1);
  const struct {
    std::string path;
    const char* says;
  } table[] = {{folder_.string(), "no regular file"},
               {fifo, "no regular file"},
               {"/dev/zero", "no regular file"},
               {huge, "larger than 1048576 bytes"},
               {(folder_ / "none").string(), "No such file"}};
  for (const auto& row : table) {
    const auto options = LoadFile(row.path);
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(row.path));
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(row.says));
  }
}

TEST_F(LoadTest, TheEnvironmentMakesTheDefaultConnection) {
  environment_ = {{"KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"}};
  auto options = LoadFile("");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->connections.at("default").bootstrap_servers, "kafka:9092");
  EXPECT_EQ(options->connections.at("default").security_protocol, SecurityProtocol::kPlaintext);

  environment_["KAFKA_SSL_CA_LOCATION"] = Write("ca.pem", kPem);
  options = LoadFile("");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->connections.at("default").security_protocol, SecurityProtocol::kSsl);

  environment_["KAFKA_USERNAME"] = "app";
  environment_["KAFKA_PASSWORD"] = kCanary;
  environment_["KAFKA_SASL_MECHANISM"] = "SCRAM-SHA-256";
  options = LoadFile("");
  ASSERT_TRUE(options.ok()) << options.status();
  const ConnectionOptions& made = options->connections.at("default");
  EXPECT_EQ(made.security_protocol, SecurityProtocol::kSaslSsl) << "a password does not travel in the clear";
  EXPECT_EQ(made.sasl_mechanism, SaslMechanism::kScramSha256);
  EXPECT_EQ(made.sasl_password.Reveal(), kCanary);

  environment_["KAFKA_SECURITY_PROTOCOL"] = "SASL_PLAINTEXT";
  environment_.erase("KAFKA_SSL_CA_LOCATION");
  options = LoadFile("");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->connections.at("default").security_protocol, SecurityProtocol::kSaslPlaintext);
}

TEST_F(LoadTest, AVariableThatIsWrongIsNamed) {
  environment_ = {{"KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"},
                  {"KAFKA_PASSWORD", kCanary},
                  {"KAFKA_SECURITY_PROTOCOL", "TLS"},
                  {"KAFKA_SSL_CA_LOCATION", "/no/such.pem"}};
  const std::string message(LoadFile("").status().message());
  EXPECT_THAT(message, HasSubstr("KAFKA_SECURITY_PROTOCOL is \"TLS\""));
  EXPECT_THAT(message, HasSubstr("KAFKA_SSL_CA_LOCATION from /no/such.pem"));
  EXPECT_THAT(message, Not(HasSubstr(kCanary)));
}

TEST_F(LoadTest, TheFilesDefaultWinsOverTheEnvironment) {
  environment_["KAFKA_BOOTSTRAP_SERVERS"] = "other:1";
  const auto options =
      LoadText(R"({"connections": {"default": {"bootstrap_servers": {"value": "kafka:9092"}}}})");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->connections.at("default").bootstrap_servers, "kafka:9092");
}

TEST(ProcessEnvironmentTest, TellsUnsetFromEmpty) {
  ASSERT_EQ(setenv("CONFIG_TEST_EMPTY", "", 1), 0);
  EXPECT_EQ(ProcessEnvironment()("CONFIG_TEST_EMPTY"), "");
  EXPECT_EQ(ProcessEnvironment()("CONFIG_TEST_UNSET"), std::nullopt);
}

}  // namespace
}  // namespace datapy_kafka::config
