#include "rpc/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"

namespace datapy_kafka::rpc {
namespace {

OutboxOptions Columns(uint64_t max_frame_bytes = 4 << 20, size_t max_records = 100'000) {
  return {true, max_frame_bytes, max_records, "1.0"};
}

// What the client reads of the next frame; null when none waits.
absl::StatusOr<std::unique_ptr<v1::ConsumeResponse>> Next(Outbox& outbox) {
  grpc::ByteBuffer encoded;
  const absl::StatusOr<bool> any = outbox.Next(&encoded);
  if (!any.ok()) return any.status();
  if (!*any) return nullptr;
  return std::make_unique<v1::ConsumeResponse>(Parsed(std::move(encoded)));
}

ports::CommittedFrame CommitOf(int partition, int64_t offset) {
  return {{PartitionOffset{{"orders", partition}, Offset(offset)}}};
}

TEST(OutboxTest, AFrameHoldsAtMost1024Records) {
  Outbox outbox(Columns());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(outbox.Push(MakeDeliveries(1 + 100 * i, 100, i % 3)).ok());
  std::vector<int> sizes;
  uint64_t next = 1;
  for (;;) {
    const auto message = Next(outbox);
    ASSERT_TRUE(message.ok());
    if (*message == nullptr) break;
    EXPECT_EQ((*message)->columns().first_delivery_id(), next);
    sizes.push_back((*message)->columns().offsets_size());
    next += sizes.back();
    uint32_t in_runs = 0;
    for (const v1::RecordRun& run : (*message)->columns().runs()) in_runs += run.count();
    EXPECT_EQ(static_cast<int>(in_runs), sizes.back());
  }
  EXPECT_THAT(sizes, testing::ElementsAre(1024, 1024, 952));
  EXPECT_TRUE(outbox.empty());
}

TEST(OutboxTest, AFrameHoldsAtMostAMebibyteOrWhatTheClientTakes) {
  for (const bool columns : {true, false}) {
    for (const uint64_t limit : {uint64_t{8192}, uint64_t{4} << 20}) {
      OutboxOptions options = Columns(limit);
      options.columns = columns;
      Outbox outbox(options);
      ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 900, 0, 3000)).ok());
      int records = 0;
      for (;;) {
        const auto message = Next(outbox);
        ASSERT_TRUE(message.ok());
        if (*message == nullptr) break;
        const int count = columns ? (*message)->columns().offsets_size() : (*message)->records().records_size();
        EXPECT_LE((*message)->ByteSizeLong(), std::min<uint64_t>(limit, 1 << 20));
        if (limit > 8192 && records + count < 900) {
          EXPECT_GT(count, 100);
        }
        records += count;
      }
      EXPECT_EQ(records, 900);
    }
  }
}

TEST(OutboxTest, ARecordAboveAMebibyteTravelsAlone) {
  Outbox outbox(Columns());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 1)).ok());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(2, 1, 0, 2 << 20)).ok());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(3, 1)).ok());
  for (uint64_t id = 1; id <= 3; ++id) {
    const auto message = Next(outbox);
    ASSERT_TRUE(message.ok() && *message != nullptr);
    EXPECT_EQ((*message)->columns().first_delivery_id(), id);
    EXPECT_EQ((*message)->columns().offsets_size(), 1);
  }
}

TEST(OutboxTest, IdsOfAFrameAreConsecutive) {
  Outbox outbox(Columns());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 2)).ok());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(7, 2)).ok());
  EXPECT_EQ((*Next(outbox))->columns().offsets_size(), 2);
  const auto second = Next(outbox);
  EXPECT_EQ((*second)->columns().first_delivery_id(), 7u);
}

TEST(OutboxTest, CommitsMergeAndTheLatestWins) {
  Outbox outbox(Columns());
  ASSERT_TRUE(outbox.Push(CommitOf(0, 5)).ok());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 1)).ok());
  ASSERT_TRUE(outbox.Push(CommitOf(1, 3)).ok());
  ASSERT_TRUE(outbox.Push(CommitOf(0, 9)).ok());
  const auto commits = Next(outbox);
  ASSERT_EQ((*commits)->committed().partitions_size(), 2);
  EXPECT_EQ((*commits)->committed().partitions(0).offset(), 9);
  EXPECT_EQ((*commits)->committed().partitions(1).offset(), 3);
  EXPECT_TRUE((*Next(outbox))->has_columns());
  EXPECT_EQ(*Next(outbox), nullptr);
}

TEST(OutboxTest, ControlFramesStayBetweenTheRecordsTheyStoodBetween) {
  Outbox outbox(Columns());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 1)).ok());
  ASSERT_TRUE(outbox.Push(ports::WithdrawnFrame{{"orders", 0}, DeliveryId(1)}).ok());
  ASSERT_TRUE(outbox.Push(MakeDeliveries(2, 1)).ok());
  EXPECT_TRUE((*Next(outbox))->has_columns());
  EXPECT_TRUE((*Next(outbox))->has_withdrawn());
  EXPECT_TRUE((*Next(outbox))->has_columns());
}

TEST(OutboxTest, IsBounded) {
  Outbox outbox(Columns(4 << 20, 10));
  ASSERT_TRUE(outbox.Push(MakeDeliveries(1, 10)).ok());
  EXPECT_EQ(outbox.Push(MakeDeliveries(11, 1)).code(), absl::StatusCode::kResourceExhausted);
  for (size_t i = 0; i < Outbox::kMaxControlFrames; ++i) ASSERT_TRUE(outbox.Push(ports::RevokedFrame{}).ok());
  EXPECT_EQ(outbox.Push(ports::RevokedFrame{}).code(), absl::StatusCode::kResourceExhausted);
  // Room comes back as frames go.
  ASSERT_TRUE(Next(outbox).ok());
  EXPECT_TRUE(outbox.Push(MakeDeliveries(11, 10)).ok());
}

TEST(OutboxTest, NoticesDropTheirOldest) {
  Outbox outbox(Columns());
  for (size_t i = 0; i < Outbox::kMaxNotices + 10; ++i) {
    ASSERT_TRUE(outbox.Push(ports::NoticeFrame{true, ErrorReason::kBrokerUnreachable, absl::StrCat(i)}).ok());
  }
  EXPECT_EQ((*Next(outbox))->notice().message(), "10");
}

}  // namespace
}  // namespace datapy_kafka::rpc
