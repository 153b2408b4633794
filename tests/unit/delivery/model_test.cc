// The core against the reference over random histories.
//
// DATAPY_KAFKA_HISTORIES: how many (10^6 for a long run); DATAPY_KAFKA_SEED:
// where to begin. A failure prints its seed and a shrunk history in the words of
// a scenario.
#include <gtest/gtest.h>

#include <cstdlib>

#include "unit/delivery/history.h"

namespace datapy_kafka::delivery {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kHistories = 20'000;
#elif defined(NDEBUG)
constexpr uint64_t kHistories = 500'000;
#else
constexpr uint64_t kHistories = 50'000;
#endif

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// SplitMix64: the same histories with every standard library.
class Seeded : public Chooser {
 public:
  explicit Seeded(uint64_t seed) : state_(seed) {}
  uint32_t Below(uint32_t n) override {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<uint32_t>((z ^ (z >> 31)) % n);
  }

 private:
  uint64_t state_;
};

TEST(ModelTest, RandomHistoriesAgree) {
  const uint64_t first = FromEnvironment("DATAPY_KAFKA_SEED", 1);
  const uint64_t count = FromEnvironment("DATAPY_KAFKA_HISTORIES", kHistories);
  size_t events = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Seeded choose(seed * 0x2545f4914f6cdd1d);
    History history;
    const std::string wrong = RunRandom(choose, 10 + seed % 60, &history);
    events += history.steps.size();
    if (wrong.empty()) continue;
    const History shrunk = Shrink(history);
    FAIL() << "seed " << seed << ": " << wrong << "\nshrunk, failing with: " << Replay(shrunk) << "\n"
           << shrunk.ToText();
  }
  std::cout << count << " histories, " << events << " events\n";
}

}  // namespace
}  // namespace datapy_kafka::delivery
