#include "rpc/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "fakes.h"

namespace datapy_kafka::rpc {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// A socket file on which nobody listens, as a killed daemon leaves it.
void LeaveSocket(const std::string& path) {
  const OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

TEST(UnixSocketTest, AnOpenUmaskDoesNotOpenTheSocket) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0);
  const auto socket = UnixSocket::Listen(directory.path() + "/new/s.sock");
  ::umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(directory.path() + "/new"), 0700u);
  EXPECT_EQ(ModeOf(directory.path() + "/new/s.sock"), 0600u);
  EXPECT_EQ(ModeOf(directory.path() + "/new/s.sock.lock"), 0600u);
}

TEST(UnixSocketTest, LetsTheGroupInWhenToldTo) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0077);
  const auto socket = UnixSocket::Listen(directory.path() + "/new/s.sock", /*group_access=*/true);
  ::umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(directory.path() + "/new"), 0750u);
  EXPECT_EQ(ModeOf(directory.path() + "/new/s.sock"), 0660u);
  EXPECT_EQ(ModeOf(directory.path() + "/new/s.sock.lock"), 0600u);
}

TEST(UnixSocketTest, ATightUmaskDoesNotCloseTheSocket) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0777);
  const auto socket = UnixSocket::Listen(directory.path() + "/s.sock");
  ::umask(before);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(directory.path() + "/s.sock"), 0600u);
}

TEST(UnixSocketTest, ASecondHolderIsRefusedAndTheFirstIsNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  const auto first = UnixSocket::Listen(path);
  ASSERT_TRUE(first.ok());
  const auto second = UnixSocket::Listen(path);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr(absl::StrCat("pid ", ::getpid())));
  EXPECT_TRUE(Exists(path));
}

TEST(UnixSocketTest, IsRemovedAtTheEndAndCanBeTakenAgain) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  for (int i = 0; i < 2; ++i) {
    const auto socket = UnixSocket::Listen(path);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(Exists(path));
  }
  EXPECT_FALSE(Exists(path));
}

TEST(UnixSocketTest, AnotherFileInItsPlaceIsNotRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  {
    const auto socket = UnixSocket::Listen(path);
    ASSERT_TRUE(socket.ok());
    ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);
    LeaveSocket(path);
  }
  EXPECT_TRUE(Exists(path));
}

TEST(UnixSocketTest, AStaleSocketIsReplaced) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  LeaveSocket(path);
  EXPECT_TRUE(UnixSocket::Listen(path).ok());
}

TEST(UnixSocketTest, ASocketOfAnotherProgramIsLeftAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  const auto ours = UnixSocket::Listen(path);
  ASSERT_TRUE(ours.ok());
  ASSERT_EQ(::unlink((path + ".lock").c_str()), 0);  // a program that knows no lock
  EXPECT_EQ(UnixSocket::Listen(path).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(UnixSocketTest, WhatIsNoSocketIsNeverRemoved) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/s.sock";
  std::ofstream(path) << "precious";
  const auto socket = UnixSocket::Listen(path);
  EXPECT_EQ(socket.status().code(), absl::StatusCode::kFailedPrecondition);
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "precious");
}

TEST(UnixSocketTest, SaysWhatIsWrongWithTheDirectory) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() + "/file") << "x";
  EXPECT_EQ(UnixSocket::Listen(directory.path() + "/file/s.sock").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(UnixSocket::Listen(directory.path() + "/a/b/s.sock").status().code(),
            absl::StatusCode::kFailedPrecondition);
  // Nobody can write to /proc, root included.
  const auto unwritable = UnixSocket::Listen("/proc/s.sock");
  EXPECT_FALSE(unwritable.ok());
  EXPECT_THAT(std::string(unwritable.status().message()), testing::HasSubstr("/proc/s.sock"));
}

TEST(UnixSocketTest, ADirectoryOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_FAIL() << "needs root to give a directory away";
  const TemporaryDirectory directory;
  const std::string other = directory.path() + "/other";
  ASSERT_EQ(::mkdir(other.c_str(), 0700), 0);
  ASSERT_EQ(::chown(other.c_str(), 12345, 12345), 0);
  EXPECT_EQ(UnixSocket::Listen(other + "/s.sock").status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace datapy_kafka::rpc
