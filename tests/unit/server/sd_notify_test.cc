#include "sd_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace datapy_kafka {
namespace {

// What systemd holds at the other end.
class Manager {
 public:
  explicit Manager(const std::string& name)
      : path_(name), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0;
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    ::close(fd_);
    if (path_[0] == '/') ::unlink(path_.c_str());
    ::unsetenv("NOTIFY_SOCKET");
  }
  bool bound() const { return bound_; }
  std::string Receive() const {
    char text[256];
    const ssize_t size = ::recv(fd_, text, sizeof(text), 0);
    return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
  }

 private:
  const std::string path_;
  const int fd_;
  bool bound_ = false;
};

std::string Name(const std::string& prefix) { return prefix + "datapy-notify-" + std::to_string(::getpid()); }

TEST(SdNotify, SaysItToAPath) {
  const Manager manager(Name("/tmp/"));
  ASSERT_TRUE(manager.bound());
  EXPECT_TRUE(NotifyServiceManager("READY=1\nSTATUS=serving"));
  EXPECT_EQ(manager.Receive(), "READY=1\nSTATUS=serving");
}

TEST(SdNotify, SaysItToAnAbstractName) {
  const Manager manager(Name("@"));
  ASSERT_TRUE(manager.bound());
  EXPECT_TRUE(NotifyServiceManager("STOPPING=1"));
  EXPECT_EQ(manager.Receive(), "STOPPING=1");
}

TEST(SdNotify, IsSilentWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(NotifyServiceManager("READY=1"));
}

TEST(SdNotify, SurvivesAnAddressThatIsNone) {
  for (const std::string& name : {std::string(), std::string("/"), std::string("relative"),
                                  "/" + std::string(200, 'x'), Name("/tmp/gone-")}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    EXPECT_FALSE(NotifyServiceManager("READY=1")) << name;
  }
  ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace datapy_kafka
