// Has a client certificate sent with the certificates of the CAs between it and
// the root.
//
// Before 2.6.2 librdkafka sends the first certificate of ssl.certificate.pem
// alone (its issue 3225), and a broker that knows only the root refuses it. From
// a file it reads the whole chain: so it gets one, in memory.
#pragma once

#include "absl/status/status.h"
#include "kafka/rd_handles.h"

namespace datapy_kafka::kafka {

// To be kept until rd_kafka_new has read the configuration. Any thread.
class CertificateChainFile {
 public:
  CertificateChainFile() = default;
  ~CertificateChainFile();

  CertificateChainFile(const CertificateChainFile&) = delete;
  CertificateChainFile& operator=(const CertificateChainFile&) = delete;

  // Moves a chain in ssl.certificate.pem into the file; does nothing for a
  // single certificate, and with a librdkafka that sends the chain. Error:
  // kTlsMaterialInvalid when the system gives no memory for it.
  absl::Status Replace(rd_kafka_conf_t* conf);

 private:
  int fd_ = -1;
};

}  // namespace datapy_kafka::kafka
