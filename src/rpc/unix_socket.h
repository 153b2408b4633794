// A listening unix socket that belongs to one daemon alone.
//
// The path is held by a lock on `<path>.lock` for as long as the object lives;
// the lock file stays, since removing it would let two daemons hold "it". The
// socket is 0600 (or 0660) from the moment it exists, whatever the umask, and is removed
// at the end if it is still the one that was made here.
//
// One thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "owned_fd.h"

namespace datapy_kafka::rpc {

class UnixSocket {
 public:
  // Makes the last directory of `path` (0700) when it is missing; with
  // `group_access` it is 0750 and the socket 0660. Errors:
  // kAlreadyExists when another process holds the path, kFailedPrecondition
  // when something else than a socket is there, kPermissionDenied when the
  // directory is another user's or cannot be written.
  static absl::StatusOr<std::unique_ptr<UnixSocket>> Listen(const std::string& path, bool group_access = false);

  ~UnixSocket();
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;

  int fd() const { return socket_.get(); }

 private:
  UnixSocket(std::string path, OwnedFd lock, OwnedFd socket, dev_t device, ino_t inode)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        socket_(std::move(socket)),
        device_(device),
        inode_(inode) {}

  const std::string path_;
  const OwnedFd lock_;
  const OwnedFd socket_;
  const dev_t device_;
  const ino_t inode_;
};

}  // namespace datapy_kafka::rpc
