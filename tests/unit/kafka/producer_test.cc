// What becomes of batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "unit/kafka/mock_kafka.h"

namespace datapy_kafka::kafka {
namespace {

constexpr int16_t kProduce = 0;

ports::ProduceBatch BatchOf(const std::string& topic, size_t count, size_t size = 10) {
  auto values = std::make_shared<std::vector<std::string>>();
  for (size_t i = 0; i < count; ++i) values->push_back(absl::StrCat(i, std::string(size, '.')).substr(0, size));
  ports::ProduceBatch batch;
  batch.topic = topic;
  for (const std::string& value : *values) {
    ports::OutgoingRecord record;
    record.value = value;
    record.partition = 0;
    batch.records.push_back(record);
  }
  batch.owner = values;
  return batch;
}

std::unique_ptr<ports::RecordSink> SinkOn(const MockKafka& kafka, const config::Properties& properties = {},
                                          uint64_t queue_bytes = 16 << 20) {
  auto made = MakeProducer(kafka.Connection(), properties, queue_bytes);
  EXPECT_TRUE(made.ok()) << made.status();
  return std::move(made->sink);
}

TEST(Producer, TellsWhereEachRecordWent) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto made = MakeProducer(kafka.Connection(), {}, 16 << 20);
  ASSERT_TRUE(made.ok());
  const auto result = ProduceAndWait(*made->sink, BatchOf("orders", 500));
  EXPECT_EQ(result.succeeded, 500u);
  EXPECT_EQ(result.bytes, 5000u);
  ASSERT_EQ(result.offsets.size(), 500u);
  for (size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(result.offsets[i], static_cast<int64_t>(i));
    EXPECT_EQ(result.partitions[i], 0);
  }
  const ports::ProducerStatus status = made->status();
  EXPECT_EQ(status.delivered, 500u);
  EXPECT_EQ(status.queued_records, 0u);
  EXPECT_EQ(status.delivered_bytes, 5000u);
}

TEST(Producer, NullEmptyHeadersAndTimestampsArriveAsTheyWere) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  ports::ProduceBatch batch;
  batch.topic = "orders";
  batch.headers = {{"all", "x"}};
  ports::OutgoingRecord record;
  record.partition = 0;
  record.timestamp_ms = 1234567890123;
  record.key = absl::string_view("");
  record.headers = {{"a", "1"}, {"b", std::nullopt}, {"a", ""}};
  batch.records.push_back(record);  // empty key, null value
  record.key = std::nullopt;
  record.value = absl::string_view();
  record.headers = {};
  batch.records.push_back(record);  // null key, empty value
  EXPECT_EQ(ProduceAndWait(*sink, std::move(batch)).succeeded, 2u);

  Member member(kafka.Session("group", {"orders"}));
  ASSERT_TRUE(member.RunUntil([&] { return member.total == 2; }));
  const auto& list = member.records.begin()->second;
  EXPECT_EQ(list[0]->key, absl::string_view(""));
  EXPECT_FALSE(list[0]->value.has_value());
  EXPECT_EQ(list[0]->timestamp_ms, 1234567890123);
  EXPECT_EQ(list[0]->timestamp_type, ports::TimestampType::kCreateTime);
  ASSERT_EQ(list[0]->headers.size(), 4u);
  EXPECT_EQ(list[0]->headers[0].name, "all");
  EXPECT_EQ(list[0]->headers[1].name, "a");
  EXPECT_EQ(list[0]->headers[1].value, absl::string_view("1"));
  EXPECT_EQ(list[0]->headers[2].name, "b");
  EXPECT_FALSE(list[0]->headers[2].value.has_value());
  EXPECT_EQ(list[0]->headers[3].name, "a");
  EXPECT_EQ(list[0]->headers[3].value, absl::string_view(""));
  EXPECT_FALSE(list[1]->key.has_value());
  EXPECT_EQ(list[1]->value, absl::string_view(""));
  ASSERT_EQ(list[1]->headers.size(), 1u);
}

TEST(Producer, AnOversizeRecordFailsAlone) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka, {{"message.max.bytes", "2000"}});
  ports::ProduceBatch batch = BatchOf("orders", 3);
  const std::string large(5000, 'x');
  batch.records[1].value = large;
  const auto result = ProduceAndWait(*sink, std::move(batch));
  EXPECT_EQ(result.succeeded, 2u);
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].index, 1u);
  EXPECT_EQ(result.failures[0].reason, ErrorReason::kRecordTooLarge);
  EXPECT_FALSE(result.failures[0].retriable);
  EXPECT_EQ(result.offsets[1], -1);
}

TEST(Producer, AnUnknownTopicIsNamed) {
  MockKafka kafka;
  rd_kafka_mock_topic_set_error(kafka.cluster(), "nowhere", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  auto sink = SinkOn(kafka, {{"topic.metadata.propagation.max.ms", "500"}});
  const auto result = ProduceAndWait(*sink, BatchOf("nowhere", 2));
  EXPECT_EQ(result.succeeded, 0u);
  ASSERT_EQ(result.failures.size(), 2u);
  EXPECT_EQ(result.failures[0].reason, ErrorReason::kUnknownTopic) << result.failures[0].message;
}

TEST(Producer, AFullQueueWaitsForRoom) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka, {}, 64 << 10);
  const auto result = ProduceAndWait(*sink, BatchOf("orders", 1000, 1000));
  EXPECT_EQ(result.succeeded, 1000u) << (result.failures.empty() ? "" : result.failures[0].message);
  EXPECT_EQ(result.offsets.back(), 999);
}

TEST(Producer, AFullQueueFailsWhenTimeIsUp) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka, {}, 64 << 10);
  rd_kafka_mock_broker_set_down(kafka.cluster(), 1);
  ports::ProduceBatch batch = BatchOf("orders", 1000, 1000);
  batch.timeout = absl::Milliseconds(500);
  const auto result = ProduceAndWait(*sink, std::move(batch));
  EXPECT_EQ(result.succeeded, 0u);
  ASSERT_EQ(result.failures.size(), 1000u);
  std::map<ErrorReason, int> reasons;
  for (const auto& failure : result.failures) ++reasons[failure.reason];
  // It depends on whether librdkafka has noticed yet that the broker is gone.
  EXPECT_GT(reasons[ErrorReason::kTimedOut] + reasons[ErrorReason::kBrokerUnreachable], 0);
  EXPECT_GT(reasons[ErrorReason::kResourceExhausted], 0);
  EXPECT_FALSE(sink->Flush(absl::Milliseconds(200)));
}

TEST(Producer, EnqueuedFailuresAreToldWithTheNextBatch) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  kafka.Inject(kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  ports::ProduceBatch batch = BatchOf("orders", 3);
  batch.mode = ports::ProduceMode::kEnqueued;
  const auto enqueued = ProduceAndWait(*sink, std::move(batch));
  // What has failed before the last one was enqueued is told at once.
  EXPECT_EQ(enqueued.succeeded + enqueued.failures.size(), 3u);
  EXPECT_TRUE(enqueued.offsets.empty());
  const auto flushed = ProduceAndWait(*sink, ports::ProduceBatch{});
  EXPECT_TRUE(flushed.failures.empty());
  EXPECT_GE(flushed.earlier_failures + enqueued.failures.size(), 1u);
  EXPECT_EQ(enqueued.earlier_failures, 0u);
}

TEST(Producer, EnqueuedFailuresAreNotToldToTheNextThatIsEnqueued) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  kafka.Inject(kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  ports::ProduceBatch refused = BatchOf("orders", 1);
  refused.mode = ports::ProduceMode::kEnqueued;
  const auto first = ProduceAndWait(*sink, std::move(refused));
  absl::SleepFor(absl::Milliseconds(300));  // the refusal comes
  ports::ProduceBatch another = BatchOf("orders", 1);
  another.mode = ports::ProduceMode::kEnqueued;
  const auto second = ProduceAndWait(*sink, std::move(another));
  EXPECT_EQ(second.earlier_failures, 0u);
  EXPECT_EQ(ProduceAndWait(*sink, ports::ProduceBatch{}).earlier_failures + first.failures.size(), 1u);
}

TEST(Producer, AFatalErrorFailsAllAndSaysSo) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  ASSERT_EQ(ProduceAndWait(*sink, BatchOf("orders", 1)).succeeded, 1u);
  kafka.Inject(kProduce, {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  const auto result = ProduceAndWait(*sink, BatchOf("orders", 1));
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].reason, ErrorReason::kFatal) << result.failures[0].message;
  const auto next = ProduceAndWait(*sink, BatchOf("orders", 2));
  ASSERT_EQ(next.failures.size(), 2u);
  EXPECT_EQ(next.failures[0].reason, ErrorReason::kFatal);
}

TEST(Producer, SmallAndLargeBatchesKeepTheOrderInWhichTheyCame) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  constexpr size_t kBatches = 300;
  absl::Mutex mutex;
  std::vector<int64_t> first_offsets(kBatches, -1);
  size_t answers = 0;
  std::vector<int64_t> expected;
  int64_t begin = 0;
  for (size_t i = 0; i < kBatches; ++i) {
    // Small ones are given on this thread, the others on the producer's own.
    const size_t count = i % 3 == 0 ? 150 : 1;
    expected.push_back(begin);
    begin += static_cast<int64_t>(count);
    sink->Produce(BatchOf("orders", count), [&, i](const ports::ProduceResult& result) {
      absl::MutexLock lock(&mutex);
      if (!result.offsets.empty()) first_offsets[i] = result.offsets.front();
      ++answers;
    });
  }
  absl::MutexLock lock(&mutex);
  const auto all = [&] { return answers == kBatches; };
  ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(30)));
  EXPECT_EQ(first_offsets, expected);
}

TEST(Producer, ManyThreadsMaySendAtOnce) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto made = MakeProducer(kafka.Connection(), {}, 16 << 20);
  ASSERT_TRUE(made.ok());
  std::atomic<uint32_t> succeeded{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) succeeded += ProduceAndWait(*made->sink, BatchOf("orders", 1)).succeeded;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(succeeded, 200u);
  EXPECT_EQ(made->status().delivered, 200u);
  EXPECT_EQ(made->status().queued_records, 0u);
}

TEST(Producer, AnEarlierDeadlineIsNotSleptThrough) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  ASSERT_EQ(ProduceAndWait(*sink, BatchOf("orders", 1)).succeeded, 1u);
  rd_kafka_mock_broker_set_down(kafka.cluster(), 1);
  std::atomic<bool> late_answered{false};
  ports::ProduceBatch late = BatchOf("orders", 1);
  late.timeout = absl::Minutes(10);
  sink->Produce(std::move(late), [&](const ports::ProduceResult&) { late_answered = true; });
  // Long enough for the producer's thread to have gone to sleep for good.
  absl::SleepFor(absl::Milliseconds(600));
  ports::ProduceBatch soon = BatchOf("orders", 1);
  soon.timeout = absl::Milliseconds(100);
  const auto result = ProduceAndWait(*sink, std::move(soon));
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_TRUE(result.failures[0].retriable);
  EXPECT_FALSE(late_answered);
}

TEST(Producer, ALateRecordSaysThatNoBrokerCanBeReached) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  rd_kafka_mock_broker_set_down(kafka.cluster(), 1);
  ports::ProduceBatch batch = BatchOf("orders", 1);
  batch.timeout = absl::Seconds(3);
  const auto result = ProduceAndWait(*sink, std::move(batch));
  ASSERT_EQ(result.failures.size(), 1u);
  EXPECT_EQ(result.failures[0].reason, ErrorReason::kBrokerUnreachable) << result.failures[0].message;
  EXPECT_THAT(result.failures[0].message, testing::HasSubstr("check bootstrap_servers"));
  EXPECT_THAT(result.failures[0].message, testing::HasSubstr("it may be written yet"));
}

TEST(Producer, ASmallBatchIsInTheQueueWhenEnqueuedReturns) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  ports::ProduceBatch batch = BatchOf("orders", 2);
  batch.mode = ports::ProduceMode::kEnqueued;
  EXPECT_EQ(ProduceAndWait(*sink, std::move(batch)).succeeded, 2u);
  const auto flushed = ProduceAndWait(*sink, ports::ProduceBatch{});
  EXPECT_TRUE(flushed.failures.empty());
  EXPECT_EQ(ProduceAndWait(*sink, BatchOf("orders", 1)).offsets, std::vector<int64_t>{2});
}

TEST(Producer, DestroyedWithRecordsOnTheWireItAnswersForThem) {
  MockKafka kafka;
  kafka.CreateTopic("orders", 1);
  auto sink = SinkOn(kafka);
  rd_kafka_mock_broker_set_down(kafka.cluster(), 1);
  ports::ProduceResult result;
  int answers = 0;
  sink->Produce(BatchOf("orders", 10), [&](ports::ProduceResult got) {
    ++answers;
    result = std::move(got);
  });
  sink.reset();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(result.failures.size(), 10u);
}

}  // namespace
}  // namespace datapy_kafka::kafka
