#include "datapy_kafka/engine/session_manager.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "datapy_kafka/base/error.h"
#include "session_loop.h"

namespace datapy_kafka::engine {

class SessionManager::Impl {
 public:
  Impl(ManagerOptions options, SourceFactory factory)
      : options_(std::move(options)), factory_(std::move(factory)) {}

  ~Impl() {
    // Members are joined here; main has drained them before.
    for (Entry& entry : TakeEntries()) entry.thread.join();
  }

  absl::StatusOr<std::shared_ptr<ports::Session>> Open(config::SessionOptions session,
                                                       ports::SessionStream* stream);
  uint64_t DrainAll(absl::Duration timeout);
  std::vector<ports::SessionStatus> Status() const {
    absl::MutexLock lock(&mutex_);
    return OpenSessions();
  }
  void Describe(ports::DaemonStatus* status) const;

 private:
  struct Entry {
    std::shared_ptr<SessionLoop> loop;
    std::thread thread;
    bool done = false;  // its Run has returned
  };

  absl::Status Admit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunSession(SessionLoop* loop);
  std::vector<ports::SessionStatus> OpenSessions() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Entry> TakeEntries() {
    absl::MutexLock lock(&mutex_);
    opening_.clear();
    return std::exchange(entries_, {});
  }
  std::vector<Entry> TakeDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AllDone() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return opening_.empty() &&
           std::all_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.done; });
  }

  const ManagerOptions options_;
  const SourceFactory factory_;

  mutable absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> opening_ ABSL_GUARDED_BY(mutex_);  // ids whose source is being made
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t unacked_ ABSL_GUARDED_BY(mutex_) = 0;
  ports::SessionTotals ended_totals_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ports::EndedSessions> ended_groups_ ABSL_GUARDED_BY(mutex_);
};

absl::Status SessionManager::Impl::Admit() {
  if (draining_) {
    return ErrorBuilder(ErrorReason::kShuttingDown)
        .Build("the daemon is stopping; connect again to the next one");
  }
  const auto open = static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.done; }));
  if (open + opening_.size() >= options_.limits.max_sessions) {
    return ErrorBuilder(ErrorReason::kResourceExhausted)
        .Build(absl::StrCat("the daemon serves ", options_.limits.max_sessions,
                            " sessions already, its limits.max_sessions; end one or raise the limit"));
  }
  return absl::OkStatus();
}

std::vector<SessionManager::Impl::Entry> SessionManager::Impl::TakeDone() {
  std::vector<Entry> done;
  const auto first_done =
      std::stable_partition(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.done; });
  std::move(first_done, entries_.end(), std::back_inserter(done));
  entries_.erase(first_done, entries_.end());
  return done;
}

absl::StatusOr<std::shared_ptr<ports::Session>> SessionManager::Impl::Open(config::SessionOptions session,
                                                                           ports::SessionStream* stream) {
  std::string id;
  std::vector<Entry> done;
  {
    absl::MutexLock lock(&mutex_);
    if (const absl::Status status = Admit(); !status.ok()) return status;
    done = TakeDone();
    id = absl::StrCat("s", next_id_++);
    opening_.push_back(id);
  }
  for (Entry& entry : done) entry.thread.join();  // each has returned already

  session.max_in_flight_records =
      std::min(session.max_in_flight_records, options_.limits.max_in_flight_records);
  session.max_in_flight_bytes = std::min(session.max_in_flight_bytes, options_.limits.max_in_flight_bytes);
  session.drain_timeout = std::min(session.drain_timeout, options_.drain_timeout);

  auto mailbox = std::make_shared<LoopMailbox>();
  auto source = factory_(session, [mailbox] { mailbox->WakeForSource(); });

  absl::MutexLock lock(&mutex_);
  opening_.erase(std::find(opening_.begin(), opening_.end(), id));
  if (!source.ok()) return source.status();
  if (draining_) {
    return ErrorBuilder(ErrorReason::kShuttingDown)
        .Build("the daemon is stopping; connect again to the next one");
  }
  SessionLoop::Setup setup{id,
                           std::move(session),
                           *std::move(source),
                           stream,
                           std::move(mailbox),
                           options_.clock,
                           [this, id](bool serving) {
                             if (!options_.on_health) return;
                             options_.on_health(id,
                                                serving ? SessionHealth::kServing : SessionHealth::kDraining);
                           }};
  auto loop = std::make_shared<SessionLoop>(std::move(setup));
  entries_.push_back({loop, std::thread([this, loop] { RunSession(loop.get()); })});
  return loop;
}

void SessionManager::Impl::RunSession(SessionLoop* loop) {
  const SessionEnd end = loop->Run();
  const ports::SessionStatus last = loop->Status();
  if (options_.on_health) options_.on_health(last.session_id, SessionHealth::kEnded);
  absl::MutexLock lock(&mutex_);
  ++ended_;
  unacked_ += end.unacked;
  ports::Add(end.totals, &ended_totals_);
  const bool fits = ended_groups_.count(last.group_id) != 0 || ended_groups_.size() < ports::kMaxEndedNames;
  const std::string name = fits ? last.group_id : ports::kOtherNames;
  ports::EndedSessions& group = ended_groups_[name];
  group.group_id = name;
  ++group.sessions;
  ports::Add(end.totals, &group.totals);
  ports::Add(last.errors, &group.errors);
  group.commit_latency.Add(last.commit_latency);
  group.ack_latency.Add(last.ack_latency);
  for (Entry& entry : entries_) {
    if (entry.loop.get() == loop) entry.done = true;
  }
}

uint64_t SessionManager::Impl::DrainAll(absl::Duration timeout) {
  // What a session needs to commit and to leave its group after the drain.
  constexpr absl::Duration kClosing = absl::Seconds(25);
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  const uint64_t unacked_before = unacked_;
  for (const Entry& entry : entries_) {
    if (!entry.done) entry.loop->RequestDrain(delivery::DrainCause::kShutdown, timeout);
  }
  mutex_.AwaitWithTimeout(absl::Condition(this, &Impl::AllDone), timeout + kClosing);
  return unacked_ - unacked_before;
}

std::vector<ports::SessionStatus> SessionManager::Impl::OpenSessions() const {
  std::vector<ports::SessionStatus> statuses;
  for (const Entry& entry : entries_) {
    if (!entry.done) statuses.push_back(entry.loop->Status());
  }
  return statuses;
}

void SessionManager::Impl::Describe(ports::DaemonStatus* status) const {
  absl::MutexLock lock(&mutex_);
  status->sessions = OpenSessions();
  status->sessions_ended = ended_;
  status->ended_totals = ended_totals_;
  for (const auto& [name, group] : ended_groups_) status->ended_groups.push_back(group);
}

SessionManager::SessionManager(ManagerOptions options, SourceFactory factory)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(factory))) {}
SessionManager::~SessionManager() = default;

absl::StatusOr<std::shared_ptr<ports::Session>> SessionManager::Open(config::SessionOptions options,
                                                                     ports::SessionStream* stream) {
  return impl_->Open(std::move(options), stream);
}
uint64_t SessionManager::DrainAll(absl::Duration timeout) { return impl_->DrainAll(timeout); }
std::vector<ports::SessionStatus> SessionManager::Status() const { return impl_->Status(); }
void SessionManager::Describe(ports::DaemonStatus* status) const { impl_->Describe(status); }

}  // namespace datapy_kafka::engine
