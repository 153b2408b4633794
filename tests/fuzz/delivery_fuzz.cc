// Histories drawn from the fuzzer's bytes, run against the reference.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "unit/delivery/history.h"

namespace {

class Bytes : public datapy_kafka::delivery::Chooser {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}
  uint32_t Below(uint32_t n) override { return data_ == end_ ? 0 : *data_++ % n; }
  bool done() const override { return data_ == end_; }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  datapy_kafka::delivery::History history;
  const std::string wrong = datapy_kafka::delivery::RunRandom(bytes, 400, &history);
  if (wrong.empty()) return 0;
  std::cerr << wrong << "\n" << datapy_kafka::delivery::Shrink(history).ToText();
  std::abort();
}
