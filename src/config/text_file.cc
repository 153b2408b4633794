#include "text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::config {
namespace {

absl::Status Refuse(const std::string& path, absl::string_view what, absl::string_view why) {
  return ErrorBuilder(ErrorReason::kInvalidArgument)
      .File(path)
      .Build(absl::StrCat("cannot read ", what, " from ", path, ": ", why));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path, absl::string_view what, size_t max_bytes) {
  // A pipe or a device must not hold the start up.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return Refuse(path, what, std::strerror(errno));
  struct stat status;
  if (fstat(file.fd, &status) != 0) return Refuse(path, what, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return Refuse(path, what, "it is no regular file");
  if (static_cast<size_t>(status.st_size) > max_bytes) {
    return Refuse(path, what, absl::StrCat("it is larger than ", max_bytes, " bytes"));
  }
  std::string text(max_bytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Refuse(path, what, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > max_bytes) return Refuse(path, what, absl::StrCat("it is larger than ", max_bytes, " bytes"));
  text.resize(size);
  return text;
}

}  // namespace datapy_kafka::config
