// Text that does not print.
//
//   Secret password("hunter2");
//   std::cout << password;            // "***"
//   conf.Set("sasl.password", password.Reveal());
//
// A plain value, any thread. The bytes are wiped when it is destroyed.
#pragma once

#include <ostream>
#include <string>

namespace datapy_kafka::config {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&);
  ~Secret();

  bool empty() const { return text_.empty(); }
  // For the one call that needs it; never for a message.
  const std::string& Reveal() const { return text_; }

  bool operator==(const Secret&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Secret& secret);

 private:
  std::string text_;
};

}  // namespace datapy_kafka::config
