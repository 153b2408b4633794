#include "datapy_kafka/config/secret.h"

#include <string.h>

namespace datapy_kafka::config {

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    explicit_bzero(text_.data(), text_.size());
    text_ = other.text_;
  }
  return *this;
}

Secret::~Secret() { explicit_bzero(text_.data(), text_.size()); }

std::ostream& operator<<(std::ostream& out, const Secret& secret) {
  return out << (secret.empty() ? "" : "***");
}

}  // namespace datapy_kafka::config
