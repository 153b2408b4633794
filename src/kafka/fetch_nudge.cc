#include "kafka/fetch_nudge.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "kafka/client_conf.h"

namespace datapy_kafka::kafka {
namespace {

// The sending is what wakes; the answer may be behind a fetch that waits for
// records, and a session's end would wait for it too.
constexpr int kRequestTimeoutMs = 50;
// The least time between two requests.
constexpr absl::Duration kPause = absl::Milliseconds(2);
// How long the end waits for a request that is on its way.
constexpr absl::Duration kPatience = absl::Milliseconds(100);

// 0 for a property that has no such value.
size_t NumberOf(const rd_kafka_conf_t* conf, const char* property) {
  size_t number = 0;
  return absl::SimpleAtoi(GetSetting(conf, property), &number) ? number : 0;
}

}  // namespace

QueueWatch::Limits QueueLimits(rd_kafka_t* rk) {
  const rd_kafka_conf_t* conf = rd_kafka_conf(rk);
  return {NumberOf(conf, "queued.min.messages"), NumberOf(conf, "queued.max.messages.kbytes") * 1024};
}

FetchNudge::~FetchNudge() {
  absl::MutexLock lock(&state_->mutex);
  state_->stopping = true;
  // The thread is left alone with its request when that outlasts its time-out,
  // as it may before librdkafka 2.3 (issue 2588) when the leader does not answer.
  if (state_->serving) state_->mutex.AwaitWithTimeout(absl::Condition(&NotServing, state_.get()), kPatience);
}

bool FetchNudge::NotServing(State* state) { return !state->serving; }
bool FetchNudge::HasNews(State* state) { return state->stopping || !state->asked.empty(); }

void FetchNudge::Ask(const TopicPartition& tp) {
  absl::MutexLock lock(&state_->mutex);
  if (std::find(state_->asked.begin(), state_->asked.end(), tp) != state_->asked.end()) return;
  state_->asked.push_back(tp);
  if (std::exchange(state_->serving, true)) return;
  std::thread([state = state_, client = client_]() mutable { Serve(state.get(), std::move(client)); }).detach();
}

void FetchNudge::Serve(State* state, std::shared_ptr<Client> client) {
  absl::MutexLock lock(&state->mutex);
  for (;;) {
    state->mutex.Await(absl::Condition(&HasNews, state));
    if (state->stopping) break;
    const TopicPartition tp = std::move(state->asked.front());
    state->asked.pop_front();
    state->mutex.Unlock();
    // The answer, an error too, is of no interest: the request itself wakes.
    int64_t low = 0;
    int64_t high = 0;
    (void)rd_kafka_query_watermark_offsets(client->rk(), tp.topic.c_str(), tp.partition, &low, &high,
                                           kRequestTimeoutMs);
    state->mutex.Lock();
    state->mutex.AwaitWithTimeout(absl::Condition(&state->stopping), kPause);
  }
  client.reset();  // before the Consumer gives up its own
  state->serving = false;
}

}  // namespace datapy_kafka::kafka
