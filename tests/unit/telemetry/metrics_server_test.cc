// Metrics over HTTP on a loopback port.
#include "datapy_kafka/telemetry/metrics_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"

namespace datapy_kafka::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A loopback socket; closed at its end.
class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() { close(fd_); }
  // Port 0: any that is free.
  int Listen() {
    sockaddr_in address = Loopback(0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }
  std::string Get(int port, const std::string& path) {
    sockaddr_in address = Loopback(port);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(send(fd_, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    std::string answer;
    char bytes[4096];
    for (ssize_t got; (got = recv(fd_, bytes, sizeof(bytes), 0)) > 0;) answer.append(bytes, got);
    return answer;
  }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }
  const int fd_;
};

struct Started {
  int port = 0;
  std::unique_ptr<MetricsServer> server;
};

// Another process may take the port between the look and the start.
Started StartSomewhere(const std::function<ports::DaemonStatus()>& snapshot) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const int port = Socket().Listen();
    auto server = MetricsServer::Start(absl::StrCat("127.0.0.1:", port), snapshot, {});
    if (server.ok()) return {port, *std::move(server)};
  }
  ADD_FAILURE() << "no free port";
  return {};
}

TEST(MetricsServerTest, ServesASnapshotAScrape) {
  std::atomic<int> scrapes = 0;
  const Started started = StartSomewhere([&scrapes] {
    ports::DaemonStatus status;
    status.sessions_ended = static_cast<uint64_t>(++scrapes);
    return status;
  });
  ASSERT_NE(started.server, nullptr);
  EXPECT_EQ(scrapes, 0) << "what nobody scrapes costs nothing";
  for (int i = 1; i <= 2; ++i) {
    const std::string answer = Socket().Get(started.port, "/metrics");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("\ndatapy_kafka_sessions_ended_total ", i)));
    EXPECT_EQ(scrapes, i);
  }
}

TEST(MetricsServerTest, ServesNothingElse) {
  const Started started = StartSomewhere([] { return ports::DaemonStatus(); });
  ASSERT_NE(started.server, nullptr);
  for (const char* path : {"/", "/etc/passwd", "/../../etc/passwd", "/metrics/../x"}) {
    EXPECT_THAT(Socket().Get(started.port, path), ::testing::Not(HasSubstr(" 200 "))) << path;
  }
}

TEST(MetricsServerTest, ATakenPortIsAnErrorThatNamesIt) {
  Socket other;
  const int port = other.Listen();
  ::testing::internal::CaptureStdout();
  const auto server =
      MetricsServer::Start(absl::StrCat("127.0.0.1:", port), [] { return ports::DaemonStatus(); }, {});
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "") << "the daemon's stdout is not the library's";
  EXPECT_EQ(server.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr(absl::StrCat("127.0.0.1:", port)));
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("another process listens there"));
}

TEST(MetricsServerTest, AnAddressThatIsNotHereIsNotATakenOne) {
  const struct {
    const char* address;
    const char* why;
  } cases[] = {{"no-such-host.invalid:9464", "there is no host \"no-such-host.invalid\""},
               {"192.0.2.1:9464", "this machine does not have that address"},
               {"[::1]:9464", "IPv4"},
               {"::1:9464", "IPv4"}};
  for (const auto& [address, why] : cases) {
    const auto server = MetricsServer::Start(address, [] { return ports::DaemonStatus(); }, {});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr(why)) << address;
    EXPECT_THAT(std::string(server.status().message()), ::testing::Not(HasSubstr("process"))) << address;
  }
}

TEST(MetricsServerTest, AMalformedAddressIsRefused) {
  for (const char* address : {"", "9464", ":9464", "localhost", "localhost:", "localhost:x", "localhost:0",
                              "localhost:65536", "127.0.0.1:9464,8080", "127.0.0.1:9464s"}) {
    const auto server = MetricsServer::Start(address, [] { return ports::DaemonStatus(); }, {});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("--metrics_listen=")) << address;
  }
}

}  // namespace
}  // namespace datapy_kafka::telemetry
