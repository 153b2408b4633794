// Counting durations and sums.
#include "datapy_kafka/ports/status.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <type_traits>

#include "datapy_kafka/ports/record.h"

namespace datapy_kafka::ports {
namespace {

size_t BucketOf(absl::Duration duration) {
  LatencyHistogram histogram;
  histogram.Observe(duration);
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] == 1) return i;
  }
  return histogram.counts.size();
}

TEST(LatencyHistogramTest, ABoundBelongsToItsBucket) {
  EXPECT_EQ(BucketOf(absl::ZeroDuration()), 0u);
  for (size_t i = 0; i < LatencyHistogram::kBounds.size(); ++i) {
    EXPECT_EQ(BucketOf(absl::Seconds(LatencyHistogram::kBounds[i])), i);
    EXPECT_EQ(BucketOf(absl::Seconds(LatencyHistogram::kBounds[i]) + absl::Microseconds(1)), i + 1);
  }
  EXPECT_EQ(BucketOf(absl::Hours(1)), LatencyHistogram::kBounds.size());
}

TEST(LatencyHistogramTest, AddsUp) {
  LatencyHistogram sum;
  LatencyHistogram more;
  sum.Observe(absl::Seconds(2));
  more.Observe(absl::Seconds(2));
  more.Observe(absl::Hours(1));
  sum.Add(more);
  EXPECT_EQ(std::accumulate(sum.counts.begin(), sum.counts.end(), uint64_t{0}), 3u);
  EXPECT_EQ(sum.counts.back(), 1u);
  EXPECT_DOUBLE_EQ(sum.sum_seconds, 3604);
}

TEST(SessionTotalsTest, EveryCountIsAdded) {
  // All members are counts of 64 bits: one that Add forgets stays 0.
  constexpr size_t kCounts = sizeof(SessionTotals) / sizeof(uint64_t);
  static_assert(sizeof(SessionTotals) % sizeof(uint64_t) == 0);
  uint64_t counts[kCounts];
  std::iota(std::begin(counts), std::end(counts), uint64_t{1});
  SessionTotals more;
  static_assert(std::is_trivially_copyable_v<SessionTotals>);
  std::memcpy(&more, counts, sizeof(more));
  SessionTotals sum;
  Add(more, &sum);
  Add(more, &sum);
  std::memcpy(counts, &sum, sizeof(sum));
  for (size_t i = 0; i < kCounts; ++i) EXPECT_EQ(counts[i], 2 * (i + 1)) << "count " << i;
}

TEST(RecordTest, SizeCountsWhatFlowControlCounts) {
  Record record;
  EXPECT_EQ(record.SizeBytes(), 0u);
  record.key = "key";
  record.value = "value";
  record.headers = {{"name", "v"}, {"null", std::nullopt}};
  EXPECT_EQ(record.SizeBytes(), 3u + 5 + 4 + 1 + 4);
}

}  // namespace
}  // namespace datapy_kafka::ports
