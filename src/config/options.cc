#include "datapy_kafka/config/options.h"

#include <openssl/evp.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace datapy_kafka::config {
namespace {

// SHA-256 over fields with their lengths, so that no two lists of fields feed
// it the same bytes.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(absl::string_view field) {
    const std::string length = absl::StrCat(field.size(), ":");
    EVP_DigestUpdate(context_.get(), length.data(), length.size());
    EVP_DigestUpdate(context_.get(), field.data(), field.size());
  }
  std::string Hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes, &size);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

absl::string_view ToString(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::kPlaintext:
      return "PLAINTEXT";
    case SecurityProtocol::kSsl:
      return "SSL";
    case SecurityProtocol::kSaslPlaintext:
      return "SASL_PLAINTEXT";
    case SecurityProtocol::kSaslSsl:
      return "SASL_SSL";
  }
  return "";
}

absl::string_view ToString(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kPlain:
      return "PLAIN";
    case SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
  }
  return "";
}

absl::string_view ToString(OffsetReset reset) {
  switch (reset) {
    case OffsetReset::kEarliest:
      return "earliest";
    case OffsetReset::kLatest:
      return "latest";
    case OffsetReset::kNone:
      return "none";
  }
  return "";
}

bool ConnectionOptions::UsesSasl() const {
  return security_protocol == SecurityProtocol::kSaslPlaintext ||
         security_protocol == SecurityProtocol::kSaslSsl;
}

bool ConnectionOptions::UsesTls() const {
  return security_protocol == SecurityProtocol::kSsl || security_protocol == SecurityProtocol::kSaslSsl;
}

std::string ConnectionOptions::DisplayName() const { return name.empty() ? bootstrap_servers : name; }

std::string ConnectionOptions::Fingerprint() const {
  Digest digest;
  digest.Add(name);
  digest.Add(bootstrap_servers);
  digest.Add(ToString(security_protocol));
  digest.Add(ToString(sasl_mechanism));
  digest.Add(sasl_username);
  digest.Add(sasl_password.Reveal());
  digest.Add(ssl_ca_pem);
  digest.Add(ssl_certificate_pem);
  digest.Add(ssl_key_pem.Reveal());
  digest.Add(ssl_key_password.Reveal());
  for (const auto& [property, value] : properties) {
    digest.Add(property);
    digest.Add(value);
  }
  return digest.Hex();
}

}  // namespace datapy_kafka::config
