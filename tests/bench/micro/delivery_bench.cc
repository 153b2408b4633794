// What the delivery core costs. items_per_second counts records.
#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <utility>
#include <variant>

#include "datapy_kafka/delivery/machine.h"

namespace datapy_kafka::delivery {
namespace {

constexpr size_t kBatch = 256;

class Feed {
 public:
  Feed(FailureMode mode, size_t window, int partitions) : machine_(Options(mode, window)) {
    Assigned assigned;
    for (int i = 0; i < partitions; ++i) assigned.partitions.push_back({{"orders", i}, Offset(0)});
    next_.resize(static_cast<size_t>(partitions));
    machine_.Handle(now_, assigned);
  }

  // Polls a batch of one partition and hands its records to the core.
  std::vector<Action> Poll(int partition, size_t count) {
    Polled polled;
    polled.tp = {"orders", partition};
    polled.records.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      polled.records.push_back({next_[static_cast<size_t>(partition)], 1, 100, payload_});
      ++next_[static_cast<size_t>(partition)];
    }
    return Handle(std::move(polled));
  }

  std::vector<Action> Handle(Event event) {
    std::vector<Action> actions = machine_.Handle(now_, std::move(event));
    for (const Action& action : actions) {
      const auto* commit = std::get_if<CommitOffsets>(&action);
      if (commit == nullptr) continue;
      CommitSettled done;
      for (const PartitionOffset& position : commit->positions) done.outcomes.push_back({position});
      for (Action& more : machine_.Handle(now_, std::move(done))) benchmark::DoNotOptimize(more);
    }
    return actions;
  }

  void Advance(absl::Duration span) { now_ += span; }
  const DeliveryMachine& machine() const { return machine_; }

 private:
  static MachineOptions Options(FailureMode mode, size_t window) {
    MachineOptions options;
    options.failure_mode = mode;
    options.max_retries = 1'000'000'000;
    options.backoff = {absl::Milliseconds(1)};
    options.max_in_flight_records = window;
    options.max_in_flight_bytes = size_t{1} << 40;
    return options;
  }

  absl::Time now_ = absl::UnixEpoch();
  DeliveryMachine machine_;
  std::shared_ptr<const void> payload_ = std::make_shared<int>(0);
  std::vector<Offset> next_;
};

// The window is kept full; the oldest records are acked in ranges of a batch.
void DeliverAndAckRanges(benchmark::State& state) {
  const size_t window = static_cast<size_t>(state.range(0)), batch = std::min(kBatch, window);
  Feed feed(FailureMode::kContinue, window, 1);
  uint64_t acked = 0;
  for (size_t open = 0; open < window; open += batch) feed.Poll(0, std::min(batch, window - open));
  for (auto _ : state) {
    feed.Handle(Acked{{{DeliveryId(acked + 1), DeliveryId(acked + batch)}}, {}});
    acked += batch;
    feed.Poll(0, batch);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}
BENCHMARK(DeliverAndAckRanges)->RangeMultiplier(10)->Range(10, 100'000);

// The same with a range for each record, over eight partitions.
void DeliverAndAckSingly(benchmark::State& state) {
  const size_t window = static_cast<size_t>(state.range(0)), batch = std::min(kBatch, window);
  Feed feed(FailureMode::kRetry, window, 8);
  uint64_t acked = 0;
  int partition = 0;
  for (size_t open = 0; open < window; open += batch)
    feed.Poll(partition++ % 8, std::min(batch, window - open));
  for (auto _ : state) {
    Acked ack;
    ack.ranges.reserve(batch);
    for (size_t i = 0; i < batch; ++i, ++acked)
      ack.ranges.push_back({DeliveryId(acked + 1), DeliveryId(acked + 1)});
    feed.Handle(std::move(ack));
    feed.Poll(partition++ % 8, batch);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}
BENCHMARK(DeliverAndAckSingly)->RangeMultiplier(10)->Range(10, 100'000);

// One ack frame a record, as a slow job sends them.
void AckFrameForEachRecord(benchmark::State& state) {
  Feed feed(FailureMode::kContinue, 10'000, 1);
  uint64_t acked = 0;
  for (auto _ : state) {
    feed.Poll(0, kBatch);
    for (size_t i = 0; i < kBatch; ++i) {
      ++acked;
      feed.Handle(Acked{{{DeliveryId(acked), DeliveryId(acked)}}, {}});
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(AckFrameForEachRecord);

// One record stays open for ever while the others go on.
void BesideAnOldOpenRecord(benchmark::State& state) {
  Feed feed(FailureMode::kContinue, 10'000, 2);
  feed.Poll(0, 1);
  uint64_t acked = 1;
  for (auto _ : state) {
    feed.Poll(1, kBatch);
    feed.Handle(Acked{{{DeliveryId(acked + 1), DeliveryId(acked + kBatch)}}, {}});
    acked += kBatch;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}
BENCHMARK(BesideAnOldOpenRecord);

// An ack on each of many partitions: one commit plan for all of them.
void CommitPlanning(benchmark::State& state) {
  const int partitions = static_cast<int>(state.range(0));
  Feed feed(FailureMode::kContinue, 100'000, partitions);
  uint64_t acked = 0;
  for (auto _ : state) {
    for (int i = 0; i < partitions; ++i) feed.Poll(i, 1);
    feed.Handle(Acked{{{DeliveryId(acked + 1), DeliveryId(acked + static_cast<uint64_t>(partitions))}}, {}});
    acked += static_cast<uint64_t>(partitions);
  }
  state.SetItemsProcessed(state.iterations() * partitions);
}
BENCHMARK(CommitPlanning)->Arg(1)->Arg(8)->Arg(100)->Arg(1000);

// The first of a full window fails again and again: all of it is taken back and
// delivered anew. Items are redeliveries.
void NackStorm(benchmark::State& state) {
  const size_t window = static_cast<size_t>(state.range(0));
  Feed feed(FailureMode::kRetry, window, 1);
  feed.Poll(0, window);
  uint64_t first = 1;
  for (auto _ : state) {
    feed.Handle(Acked{{}, {{DeliveryId(first), "failed"}}});
    feed.Advance(absl::Milliseconds(2));
    feed.Handle(Tick{});
    first += window;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(window));
}
BENCHMARK(NackStorm)->RangeMultiplier(10)->Range(10, 100'000);

// A hostile frame: ranges over all ids that there can be. Items are ranges.
void HostileRanges(benchmark::State& state) {
  Feed feed(FailureMode::kContinue, 100'000, 1);
  feed.Poll(0, 100'000);
  Acked hostile;
  hostile.ranges.assign(65'536, {DeliveryId(0), DeliveryId(~uint64_t{0})});
  for (auto _ : state) feed.Handle(hostile);
  state.SetItemsProcessed(state.iterations() * 65'536);
}
BENCHMARK(HostileRanges);

}  // namespace
}  // namespace datapy_kafka::delivery

BENCHMARK_MAIN();
