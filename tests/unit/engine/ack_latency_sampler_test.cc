#include "engine/ack_latency_sampler.h"

#include <gtest/gtest.h>

#include <numeric>

namespace datapy_kafka::engine {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

uint64_t Observed(const ports::LatencyHistogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), uint64_t{0});
}

TEST(AckLatencySamplerTest, MeasuresOneDeliveryAtATime) {
  AckLatencySampler sampler;
  ports::LatencyHistogram histogram;
  sampler.Delivered(DeliveryId(5), kStart);
  sampler.Delivered(DeliveryId(9), kStart + absl::Seconds(5));
  sampler.Acked({{{DeliveryId(1), DeliveryId(4)}}, {}}, kStart + absl::Seconds(1), &histogram);
  EXPECT_EQ(Observed(histogram), 0u);
  sampler.Acked({{{DeliveryId(5), DeliveryId(9)}}, {}}, kStart + absl::Seconds(2), &histogram);
  EXPECT_EQ(Observed(histogram), 1u);
  EXPECT_DOUBLE_EQ(histogram.sum_seconds, 2);
}

TEST(AckLatencySamplerTest, AFailedDeliveryIsNoSample) {
  AckLatencySampler sampler;
  ports::LatencyHistogram histogram;
  sampler.Delivered(DeliveryId(5), kStart);
  sampler.Acked({{}, {{DeliveryId(5), "boom", false}}}, kStart, &histogram);
  sampler.Acked({{{DeliveryId(5), DeliveryId(5)}}, {}}, kStart, &histogram);
  EXPECT_EQ(Observed(histogram), 0u);
}

}  // namespace
}  // namespace datapy_kafka::engine
