// What a client reads of records, in both layouts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "rpc/columns_encoder.h"
#include "rpc/frame_encoder.h"
#include "rpc/rows_encoder.h"

namespace datapy_kafka::rpc {
namespace {

using testing::ElementsAre;

RecordBatch Batch(std::vector<ports::RecordPtr> records, uint64_t first_id = 1) {
  RecordBatch batch;
  batch.first_id = DeliveryId(first_id);
  batch.runs.push_back({{"orders", 0}, {}});
  for (ports::RecordPtr& record : records) batch.runs[0].deliveries.push_back({std::move(record), 1});
  batch.records = batch.runs[0].deliveries.size();
  return batch;
}

v1::RecordColumns Encoded(const RecordBatch& batch, size_t lend_above = kLendAbove) {
  v1::RecordColumns head;
  return Parsed(EncodeColumns(batch, &head, lend_above)).columns();
}

TEST(ColumnsEncoderTest, TextGoesAsStrings) {
  const auto columns = Encoded(Batch({MakeRecord(10, "a", "\xC3\xA9"), MakeRecord(12, "", "")}, 7));
  EXPECT_EQ(columns.first_delivery_id(), 7u);
  EXPECT_THAT(columns.offsets(), ElementsAre(10, 12));
  EXPECT_THAT(columns.timestamps_ms(), ElementsAre(1010, 1012));
  EXPECT_THAT(columns.keys(), ElementsAre("a", ""));
  EXPECT_THAT(columns.values(), ElementsAre("\xC3\xA9", ""));
  EXPECT_EQ(columns.key_bytes_size() + columns.value_bytes_size() + columns.null_keys_size(), 0);
  ASSERT_EQ(columns.runs_size(), 1);
  EXPECT_EQ(columns.runs(0).topic(), "orders");
  EXPECT_EQ(columns.runs(0).count(), 2u);
  EXPECT_EQ(columns.runs(0).timestamp_type(), v1::TIMESTAMP_TYPE_CREATE_TIME);
}

TEST(ColumnsEncoderTest, OneValueThatIsNoTextMakesTheColumnBytes) {
  const auto columns = Encoded(Batch({MakeRecord(1, "k", "text"), MakeRecord(2, "k", "\xFF\xFE")}));
  EXPECT_THAT(columns.keys(), ElementsAre("k", "k"));
  EXPECT_EQ(columns.values_size(), 0);
  EXPECT_THAT(columns.value_bytes(), ElementsAre("text", "\xFF\xFE"));
}

TEST(ColumnsEncoderTest, NullsHaveAnIndexAndAnEmptyEntry) {
  const auto columns = Encoded(Batch({MakeRecord(1, std::nullopt, "x"), MakeRecord(2, "k", std::nullopt)}));
  EXPECT_THAT(columns.keys(), ElementsAre("", "k"));
  EXPECT_THAT(columns.null_keys(), ElementsAre(0u));
  EXPECT_THAT(columns.values(), ElementsAre("x", ""));
  EXPECT_THAT(columns.null_values(), ElementsAre(1u));
}

TEST(ColumnsEncoderTest, AColumnOfNullsIsEmpty) {
  const auto columns =
      Encoded(Batch({MakeRecord(1, std::nullopt, std::nullopt), MakeRecord(2, std::nullopt, std::nullopt)}));
  EXPECT_EQ(columns.keys_size() + columns.key_bytes_size() + columns.null_keys_size(), 0);
  EXPECT_EQ(columns.values_size() + columns.value_bytes_size() + columns.null_values_size(), 0);
  EXPECT_EQ(columns.offsets_size(), 2);
}

TEST(ColumnsEncoderTest, HeadersAndAttemptsAreSparse) {
  RecordBatch batch =
      Batch({MakeRecord(1, "k", "v"), MakeRecord(2, "k", "v", {{"a", "1"}, {"a", std::nullopt}, {"b", ""}})});
  batch.runs[0].deliveries[1].attempt = 3;
  const auto columns = Encoded(batch);
  ASSERT_EQ(columns.headers_size(), 1);
  EXPECT_EQ(columns.headers(0).index(), 1u);
  ASSERT_EQ(columns.headers(0).headers_size(), 3);
  EXPECT_EQ(columns.headers(0).headers(0).value(), "1");
  EXPECT_FALSE(columns.headers(0).headers(1).has_value());
  EXPECT_TRUE(columns.headers(0).headers(2).has_value());
  ASSERT_EQ(columns.attempts_size(), 1);
  EXPECT_EQ(columns.attempts(0).index(), 1u);
  EXPECT_EQ(columns.attempts(0).attempt(), 3u);
}

TEST(ColumnsEncoderTest, RoomThatIsUsedAgainHoldsNothingOfBefore) {
  v1::RecordColumns head;
  RecordBatch first = Batch({MakeRecord(1, "\xFF", std::nullopt, {{"h", "1"}}), MakeRecord(2, "k", "v")});
  first.runs[0].deliveries[0].attempt = 2;
  EncodeColumns(first, &head);
  const RecordBatch second = Batch({MakeRecord(3, "key", "value")}, 3);
  const v1::RecordColumns again = Parsed(EncodeColumns(second, &head)).columns();
  EXPECT_EQ(again.SerializeAsString(), Encoded(second).SerializeAsString());
}

TEST(ColumnsEncoderTest, LentValuesReadAsCopiedOnes) {
  const RecordBatch batch =
      Batch({MakeRecord(1, std::string(300, 'k'), std::string(20'000, 'v')), MakeRecord(2, "k", std::nullopt),
             MakeRecord(3, std::nullopt, "\xFF"), MakeRecord(4, "", std::string(300, 'w'))});
  const std::string copied = Encoded(batch, SIZE_MAX).SerializeAsString();
  for (const size_t above : {0, 1, 299, 300, 20'000}) {
    EXPECT_EQ(Encoded(batch, above).SerializeAsString(), copied) << above;
  }
}

TEST(ColumnsEncoderTest, ALentRecordLivesUntilItsFrameIsGone) {
  ports::RecordPtr record = MakeRecord(1, "key", std::string(10'000, 'v'));
  const std::weak_ptr<const ports::Record> watched = record;
  RecordBatch batch = Batch({std::move(record)});
  v1::RecordColumns head;
  grpc::ByteBuffer encoded = EncodeColumns(batch, &head);
  batch.Clear();
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(Parsed(encoded).columns().values(0).size(), 10'000u);
  encoded.Clear();
  EXPECT_TRUE(watched.expired());
}

TEST(EncoderTest, SizeBoundsAreNeverTooLow) {
  const std::vector<ports::RecordPtr> records = {
      MakeRecord(INT64_MAX - 2000, std::string(200, 'k'), std::string(5000, '\xFF')),
      MakeRecord(5, std::nullopt, std::nullopt),
      MakeRecord(INT64_MAX - 2000, "k", std::string(4096, 'v'),
                 {{std::string(300, 'h'), std::string(70'000, 'x')}, {"", ""}})};
  for (const ports::RecordPtr& record : records) {
    RecordBatch batch = Batch({record}, UINT64_MAX);
    batch.runs[0].tp = {std::string(249, 't'), INT32_MAX};
    batch.runs[0].deliveries[0].attempt = 1'000'000;
    FrameEncoder encoder("1.0");
    EXPECT_LE(encoder.Columns(batch).Length(), 128 + ColumnsSizeBound(batch.runs[0].tp, *record));
    EXPECT_LE(encoder.Rows(batch).Length(), 128 + RowsSizeBound(batch.runs[0].tp, *record));
  }
}

TEST(RowsEncoderTest, TextStandsBesideBytes) {
  v1::RecordRows rows;
  EncodeRows(Batch({MakeRecord(1, "k", "v", {{"h", std::nullopt}}), MakeRecord(2, std::nullopt, std::nullopt),
                    MakeRecord(3, "\xFF", std::string(4097, 'x')), MakeRecord(4, "", "")},
                   5),
             &rows);
  ASSERT_EQ(rows.records_size(), 4);
  const v1::RecordRow& first = rows.records(0);
  EXPECT_EQ(first.delivery_id(), 5u);
  EXPECT_EQ(first.key(), "k");
  EXPECT_EQ(first.key_text(), "k");
  EXPECT_EQ(first.value_text(), "v");
  EXPECT_EQ(first.attempt(), 1u);
  EXPECT_FALSE(first.headers(0).has_value());
  EXPECT_FALSE(rows.records(1).has_key());
  EXPECT_FALSE(rows.records(1).has_value());
  EXPECT_EQ(rows.records(2).key_text(), "");
  EXPECT_EQ(rows.records(2).value().size(), 4097u);
  EXPECT_EQ(rows.records(2).value_text(), "");
  EXPECT_TRUE(rows.records(3).has_key());
  EXPECT_TRUE(rows.records(3).has_value());
}

}  // namespace
}  // namespace datapy_kafka::rpc
