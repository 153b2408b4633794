// One consume session: a thread that owns a DeliveryMachine and a RecordSource,
// feeds the machine with what happens and carries out what it decides.
//
// Made and started by SessionManager. Session's methods are thread-safe and
// only post to the mailbox; everything else runs on the session's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ack_latency_sampler.h"
#include "commit_desk.h"
#include "datapy_kafka/base/clock.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/delivery/machine.h"
#include "datapy_kafka/ports/record_source.h"
#include "datapy_kafka/ports/session.h"
#include "datapy_kafka/ports/status.h"
#include "loop_mailbox.h"
#include "session_log.h"
#include "status_board.h"

namespace datapy_kafka::engine {

// What a session leaves behind.
struct SessionEnd {
  ports::SessionTotals totals;
  uint64_t unacked = 0;
};

class SessionLoop final : public ports::Session {
 public:
  struct Setup {
    std::string session_id;
    config::SessionOptions options;
    std::unique_ptr<ports::RecordSource> source;
    ports::SessionStream* stream;  // valid until its Finish
    std::shared_ptr<LoopMailbox> mailbox;
    const Clock* clock;
    std::function<void(bool serving)> on_health;
  };
  explicit SessionLoop(Setup setup);

  // ports::Session
  void OnFrame(ports::ClientFrame frame) override;
  void OnHalfClose() override;
  void OnBroken() override;

  // Asks for a clean end; any thread.
  void RequestDrain(delivery::DrainCause cause, absl::Duration timeout);
  // Any thread.
  ports::SessionStatus Status() const { return board_.Read(); }
  const std::string& id() const { return id_; }

  // The thread's body: returns when the session has ended, after the stream's
  // Finish. Nothing of Kafka or the stream is held afterwards.
  SessionEnd Run();

 private:
  void Open();
  absl::Duration SleepTime(absl::Time now) const;
  void Take(LoopEvent event);
  void PollSource();
  void TakeSourceEvent(ports::SourceEvent event);
  void TakeTrouble(const ports::SourceTrouble& trouble);
  void FailSession(const absl::Status& status);
  void KeepHouse(absl::Time now);
  void ReportProgress();

  // Feeds the machine and carries out its answer.
  void Feed(delivery::Event event);
  void Do(delivery::Deliver& deliver);
  void Do(delivery::Withdraw& withdraw);
  void Do(delivery::SetReadable& set);
  void Do(delivery::NotifyAssigned& assigned);
  void Do(delivery::NotifyRevoked& revoked);
  void Do(delivery::CommitOffsets& commit);
  void Do(delivery::FinishRevoke& finish);
  void Do(delivery::ReportFailure& failure);
  void Do(delivery::NotifyDraining& draining);
  void Do(delivery::Finish& finish);
  // Waits for the answer; retriable refusals are tried again for `patience`.
  std::vector<ports::CommitOutcome> CommitNow(const std::vector<PartitionOffset>& positions,
                                              absl::Duration patience);
  void SendStopped(const delivery::Finish& finish);
  ports::SessionTotals Totals() const;

  const std::string id_;
  const config::SessionOptions options_;
  const std::shared_ptr<LoopMailbox> mailbox_;
  const Clock* const clock_;
  const std::function<void(bool)> on_health_;
  StatusBoard board_;  // thread-safe reading

  // The session's thread only.
  std::unique_ptr<ports::RecordSource> source_;
  ports::SessionStream* stream_;
  std::optional<delivery::DeliveryMachine> machine_;  // until Run returns
  CommitDesk commits_;
  AckLatencySampler sampler_;
  SessionLog log_;
  const absl::Time started_at_;
  absl::Time now_;
  absl::Time next_housekeeping_ = absl::InfinitePast();
  bool source_ready_ = true;  // Poll may have something
  bool joined_ = false;       // there has been an assignment
  bool finished_ = false;
  absl::Status failure_;  // why Kafka refused to go on
  uint64_t unacked_ = 0;
};

}  // namespace datapy_kafka::engine
