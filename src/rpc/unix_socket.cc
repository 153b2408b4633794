#include "unix_socket.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace datapy_kafka::rpc {
namespace {

struct Modes {
  mode_t directory;
  mode_t socket;
};
constexpr Modes kOwner{0700, 0600};
constexpr Modes kGroup{0750, 0660};
constexpr mode_t kLockMode = 0600;
// What the kernel allows: a full queue refuses clients (EAGAIN on a unix socket).
constexpr int kBacklog = SOMAXCONN;

// Codes beside those of ErrorReason: the daemon's start tells them apart.
absl::Status PathError(int error, absl::string_view what, const std::string& path) {
  const std::string text = absl::StrCat(what, " ", path, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(absl::StrCat(text, "; give this user (", ::geteuid(),
                                                    ") the right to write there or choose another path"));
  }
  return absl::FailedPreconditionError(text);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status PrepareDirectory(const std::string& directory, mode_t mode) {
  if (::mkdir(directory.c_str(), kOwner.directory) == 0) {
    // A wider mode whatever the umask.
    if (mode == kOwner.directory || ::chmod(directory.c_str(), mode) == 0) return absl::OkStatus();
    return PathError(errno, "cannot open to the group", directory);
  }
  if (errno != EEXIST) return PathError(errno, "cannot make the directory", directory);
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return PathError(errno, "cannot look at", directory);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(directory, " is not a directory; choose another path"));
  }
  // Another user's directory is another user's to swap our socket in.
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat(directory, " belongs to user ", info.st_uid, ", not to ",
                                                    ::geteuid(), " or root; choose another path"));
  }
  // Not refused: an emptyDir volume is like this, and there only the pod's own
  // containers see it.
  if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
    spdlog::warn(
        "every user that can reach {} can replace the socket in it; use a directory of mode 0700 inside it",
        directory);
  }
  return absl::OkStatus();
}

std::string Holder(int lock) {
  char text[32] = {};
  const ssize_t size = ::pread(lock, text, sizeof(text) - 1, 0);
  int pid = 0;
  if (size <= 0 || !absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &pid)) return "another daemon";
  return absl::StrCat("another daemon (pid ", pid, ")");
}

absl::StatusOr<OwnedFd> Lock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  OwnedFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kLockMode));
  if (!lock.valid()) return PathError(errno, "cannot open the lock file", lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return PathError(errno, "cannot lock", lock_path);
    return absl::AlreadyExistsError(
        absl::StrCat(Holder(lock.get()), " serves at unix://", path, "; stop it or choose another path"));
  }
  // For the message above alone, so that its failure does not matter.
  const std::string pid = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
    spdlog::debug("cannot note the pid in {}: {}", lock_path, std::strerror(errno));
  }
  return lock;
}

sockaddr_un SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Removes a socket on which nobody listens.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return PathError(errno, "cannot look at", path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " exists and is not a socket; it was left as it is: choose another path"));
  }
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return PathError(errno, "cannot make a socket for", path);
  const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (connected == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError(absl::StrCat("another program listens at ", path, "; choose another path"));
  }
  if (errno != ECONNREFUSED) return PathError(errno, "cannot tell whether anyone listens at", path);
  if (::unlink(path.c_str()) != 0) return PathError(errno, "cannot remove the stale socket", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixSocket>> UnixSocket::Listen(const std::string& path, bool group_access) {
  const Modes modes = group_access ? kGroup : kOwner;
  const sockaddr_un address = SocketAddress(path);
  if (absl::Status status = PrepareDirectory(DirectoryOf(path), modes.directory); !status.ok()) return status;
  absl::StatusOr<OwnedFd> lock = Lock(path);
  if (!lock.ok()) return lock.status();
  if (absl::Status status = RemoveStale(path, address); !status.ok()) return status;

  OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return PathError(errno, "cannot make a socket for", path);
  // Linux gives the file that bind makes the mode of the descriptor, less the
  // umask: there is no moment at which it is wider.
  if (::fchmod(socket.get(), modes.socket) != 0) return PathError(errno, "cannot restrict the socket", path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return PathError(errno, "cannot bind", path);
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return PathError(errno, "cannot look at", path);
  // From here on the destructor removes the file.
  std::unique_ptr<UnixSocket> made(
      new UnixSocket(path, *std::move(lock), std::move(socket), info.st_dev, info.st_ino));
  if ((info.st_mode & ~S_IFMT) != modes.socket && ::chmod(path.c_str(), modes.socket) != 0) {
    return PathError(errno, "cannot restrict the socket", path);
  }
  if (::listen(made->fd(), kBacklog) != 0) return PathError(errno, "cannot listen at", path);
  return made;
}

UnixSocket::~UnixSocket() {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0) return;
  if (info.st_dev == device_ && info.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace datapy_kafka::rpc
