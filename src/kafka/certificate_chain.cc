#include "kafka/certificate_chain.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::kafka {
namespace {

constexpr char kPem[] = "ssl.certificate.pem";
constexpr char kLocation[] = "ssl.certificate.location";
constexpr absl::string_view kBegin = "-----BEGIN CERTIFICATE-----";

std::string Pem(const rd_kafka_conf_t* conf) {
  size_t size = 0;
  if (rd_kafka_conf_get(conf, kPem, nullptr, &size) != RD_KAFKA_CONF_OK || size == 0) return "";
  std::string pem(size, '\0');
  if (rd_kafka_conf_get(conf, kPem, pem.data(), &size) != RD_KAFKA_CONF_OK) return "";
  pem.resize(std::strlen(pem.c_str()));
  return pem;
}

bool IsChain(absl::string_view pem) {
  const size_t first = pem.find(kBegin);
  return first != absl::string_view::npos && pem.find(kBegin, first + kBegin.size()) != absl::string_view::npos;
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

CertificateChainFile::~CertificateChainFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status CertificateChainFile::Replace(rd_kafka_conf_t* conf) {
  if (RD_KAFKA_VERSION >= 0x020602ff) return absl::OkStatus();
  const std::string pem = Pem(conf);
  if (!IsChain(pem)) return absl::OkStatus();
  fd_ = memfd_create("certificate-chain", MFD_CLOEXEC);
  char text[512] = "";
  if (fd_ < 0 || !WriteAll(fd_, pem)) {
    return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
        .Build(absl::StrCat("the chain of the client certificate cannot be kept in memory: ",
                            std::strerror(errno)));
  }
  const std::string path = absl::StrCat("/proc/self/fd/", fd_);
  if (rd_kafka_conf_set(conf, kLocation, path.c_str(), text, sizeof(text)) != RD_KAFKA_CONF_OK ||
      rd_kafka_conf_set(conf, kPem, nullptr, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
    return ErrorBuilder(ErrorReason::kTlsMaterialInvalid)
        .Build(absl::StrCat("the chain of the client certificate cannot be used: ", text));
  }
  return absl::OkStatus();
}

}  // namespace datapy_kafka::kafka
