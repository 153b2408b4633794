// Mutual TLS of TCP listeners, with certificates made for the test.
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "fakes.h"
#include "raw_connections.h"
#include "rpc/address.h"

namespace datapy_kafka::rpc {
namespace {

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    MakeAuthority("ca");
    MakeAuthority("other");
    MakeCertificate("server", "ca", 1);
    MakeCertificate("client", "ca", 2);
    MakeCertificate("stranger", "other", 3);
    options_.listen = {"127.0.0.1:0"};
    options_.tls = config::ListenerTls{File("server.pem"), File("server.key"), File("ca.pem")};
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(absl::Seconds(2));
  }

  std::string File(const std::string& name) const { return directory_.path() + "/" + name; }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Run(const std::string& command) const {
    ASSERT_EQ(std::system(("cd " + directory_.path() + " && openssl " + command + " >log 2>&1").c_str()), 0)
        << command << "\n"
        << Read(File("log"));
  }
  void MakeAuthority(const std::string& name) const {
    Run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".pem");
  }
  void MakeCertificate(const std::string& name, const std::string& authority, int serial) const {
    std::ofstream(File("names")) << "subjectAltName=IP:127.0.0.1\n";
    Run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " + name +
        ".key -out request.pem");
    Run("x509 -req -in request.pem -days 2 -CA " + authority + ".pem -CAkey " + authority +
        ".key -extfile names -set_serial " + std::to_string(serial) + " -out " + name + ".pem");
  }

  void StartServer() {
    auto server = Server::Start(options_, &backend_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // `name` empty: a client without a certificate.
  grpc::Status Ask(const std::string& name) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = Read(File("ca.pem"));
    if (!name.empty()) {
      ssl.pem_cert_chain = Read(File(name + ".pem"));
      ssl.pem_private_key = Read(File(name + ".key"));
    }
    return AskWith(grpc::SslCredentials(ssl));
  }
  grpc::Status AskWith(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::GetStatusResponse response;
    return v1::KafkaSidecar::NewStub(grpc::CreateChannel(server_->addresses().at(0), credentials))
        ->GetStatus(&context, {}, &response);
  }

  TemporaryDirectory directory_;
  FakeBackend backend_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, OnlyClientsOfTheAuthorityAreServed) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const grpc::Status known = Ask("client");
  EXPECT_TRUE(known.ok()) << known.error_message();
  EXPECT_FALSE(Ask("").ok());
  EXPECT_FALSE(Ask("stranger").ok());
  EXPECT_FALSE(AskWith(grpc::InsecureChannelCredentials()).ok());
}

TEST_F(TlsTest, WithTlsAllAddressesAreTaken) {
  options_.listen = {"0.0.0.0:0"};
  ASSERT_NO_FATAL_FAILURE(StartServer());
  EXPECT_NE(server_->addresses().at(0), "0.0.0.0:0");
}

TEST_F(TlsTest, ATakenPortIsSaid) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  options_.listen = server_->addresses();
  const absl::Status taken = Server::Start(options_, &backend_).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(taken.message()), testing::HasSubstr(options_.listen[0]));
}

TEST_F(TlsTest, IdleConnectionsAreBoundedAndMakeRoomAgain) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(ParseAddress(server_->addresses().at(0))->port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<OwnedFd> idle;
  for (int i = 0; i < 300; ++i) idle.push_back(ConnectTo(address));
  EXPECT_TRUE(AwaitClosed(idle, 300 - 256, kPatience));
  idle.clear();
  grpc::Status known;
  for (int i = 0; i < 50 && !(known = Ask("client")).ok(); ++i) {
  }
  EXPECT_TRUE(known.ok()) << known.error_message();
}

TEST_F(TlsTest, UnreadableFilesAreNamed) {
  options_.tls->client_ca_file = File("missing.pem");
  const absl::Status missing = Server::Start(options_, &backend_).status();
  EXPECT_EQ(GetErrorInfo(missing).reason, ErrorReason::kTlsMaterialInvalid);
  EXPECT_THAT(std::string(missing.message()), testing::HasSubstr("missing.pem"));
  std::ofstream(File("missing.pem")) << "no certificate";
  EXPECT_THAT(std::string(Server::Start(options_, &backend_).status().message()), testing::HasSubstr("no PEM"));
}

}  // namespace
}  // namespace datapy_kafka::rpc
