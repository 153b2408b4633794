#include "session_loop.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace datapy_kafka::engine {
namespace {

// One poll's share, so that acks are looked at between polls.
constexpr size_t kPollRecords = 2048;
constexpr size_t kPollBytes = 4u << 20;
// The source is polled at least this often, which also keeps the group
// membership when there is nothing to read (max.poll.interval.ms).
constexpr absl::Duration kHousekeeping = absl::Milliseconds(500);
constexpr absl::Duration kFinalCommitTimeout = absl::Seconds(10);
// How long a revocation tries a refused commit again: the group waits for it.
constexpr absl::Duration kRevokePatience = absl::Seconds(3);
constexpr absl::Duration kCommitPause = absl::Milliseconds(200);
constexpr absl::Duration kCloseTimeout = absl::Seconds(10);

delivery::MachineOptions MachineOptionsOf(const config::SessionOptions& options,
                                          absl::Duration max_poll_interval) {
  delivery::MachineOptions machine;
  machine.failure_mode = options.failure_policy.mode;
  machine.max_retries = options.failure_policy.max_retries;
  machine.backoff = options.failure_policy.backoff;
  machine.max_in_flight_records = options.max_in_flight_records;
  machine.max_in_flight_bytes = options.max_in_flight_bytes;
  machine.ack_timeout = options.ack_timeout;
  machine.drain_timeout = options.drain_timeout;
  // The group drops a member that does not answer a rebalance in
  // max.poll.interval.ms: half of it leaves room for the commit.
  machine.revoke_timeout = std::min(options.drain_timeout, max_poll_interval / 2);
  return machine;
}

// Trouble that no retry ends while the session has never been served: the job
// is better told at once.
bool EndsAJoiningSession(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kAuthenticationFailed:
    case ErrorReason::kSaslMechanismUnsupported:
    case ErrorReason::kTlsHandshakeFailed:
    case ErrorReason::kTlsCertificateInvalid:
    case ErrorReason::kTlsMaterialInvalid:
      return true;
    default:
      return false;
  }
}

}  // namespace

SessionLoop::SessionLoop(Setup setup)
    : id_(std::move(setup.session_id)),
      options_(std::move(setup.options)),
      mailbox_(std::move(setup.mailbox)),
      clock_(setup.clock),
      on_health_(std::move(setup.on_health)),
      board_(options_, id_, setup.clock->Now()),
      source_(std::move(setup.source)),
      stream_(setup.stream),
      machine_(std::in_place, MachineOptionsOf(options_, source_->MaxPollInterval())),
      commits_(options_.commit_report_interval),
      log_(id_),
      started_at_(setup.clock->Now()),
      now_(started_at_) {}

void SessionLoop::OnFrame(ports::ClientFrame frame) { mailbox_->Post(std::move(frame)); }
void SessionLoop::OnHalfClose() { mailbox_->Post(HalfClosed{}); }
void SessionLoop::OnBroken() { mailbox_->Post(StreamBroken{}); }
void SessionLoop::RequestDrain(delivery::DrainCause cause, absl::Duration timeout) {
  mailbox_->Post(DrainRequest{cause, timeout});
}

SessionEnd SessionLoop::Run() {
  Open();
  while (!finished_) {
    for (LoopEvent& event : mailbox_->Take(SleepTime(clock_->Now()))) {
      now_ = clock_->Now();
      Take(std::move(event));
    }
    now_ = clock_->Now();
    if (!finished_) PollSource();
    if (!finished_) KeepHouse(now_);
  }
  const SessionEnd end{Totals(), unacked_};
  // The records before the client that they came from.
  machine_.reset();
  source_.reset();
  return end;
}

void SessionLoop::Open() {
  log_.Started(options_);
  ports::StartedFrame started;
  started.session_id = id_;
  started.max_in_flight_records = options_.max_in_flight_records;
  started.max_in_flight_bytes = options_.max_in_flight_bytes;
  started.drain_timeout = options_.drain_timeout;
  if (options_.failure_policy.mode == config::FailureMode::kRetry) {
    started.max_attempts = 1 + options_.failure_policy.max_retries;
  }
  stream_->Send(std::move(started));
  on_health_(true);
  if (const absl::Status status = source_->Subscribe(); !status.ok()) FailSession(status);
}

absl::Duration SessionLoop::SleepTime(absl::Time now) const {
  if (source_ready_ || finished_) return absl::ZeroDuration();
  const absl::Time wake = std::min({next_housekeeping_, machine_->NextDeadline(), commits_.NextDeadline()});
  return std::max(absl::ZeroDuration(), wake - now);
}

void SessionLoop::Take(LoopEvent event) {
  if (finished_) return;
  if (std::holds_alternative<SourceReady>(event)) {
    mailbox_->SourceSeen();
    source_ready_ = true;
  } else if (auto* frame = std::get_if<ports::ClientFrame>(&event)) {
    if (auto* acks = std::get_if<ports::AckFrame>(frame)) {
      sampler_.Acked(*acks, now_, board_.ack_latency());
      source_ready_ = true;  // the window may have room again
      Feed(std::move(*acks));
    } else if (const auto* release = std::get_if<ports::ReleaseFrame>(frame)) {
      source_ready_ = true;
      Feed(delivery::Released{release->revocation_id});
    } else {
      ReportProgress();
      Feed(delivery::Drain{delivery::DrainCause::kClient});
    }
    if (!finished_) stream_->ReadNext();
  } else if (const auto* drain = std::get_if<DrainRequest>(&event)) {
    ReportProgress();
    Feed(delivery::Drain{drain->cause, drain->timeout});
  } else {
    ReportProgress();
    Feed(delivery::ClientDone{});
  }
}

void SessionLoop::PollSource() {
  if (!source_ready_) return;
  std::vector<ports::SourceEvent> events = source_->Poll(std::min(kPollRecords, machine_->free_records()),
                                                         std::min(kPollBytes, machine_->free_bytes()));
  source_ready_ = !events.empty();
  for (ports::SourceEvent& event : events) {
    if (finished_) return;
    TakeSourceEvent(std::move(event));
  }
}

void SessionLoop::TakeSourceEvent(ports::SourceEvent event) {
  if (auto* polled = std::get_if<ports::RecordsPolled>(&event)) {
    delivery::Polled core;
    core.tp = std::move(polled->tp);
    core.records.reserve(polled->records.size());
    for (ports::RecordPtr& record : polled->records) {
      const Offset offset = record->offset;
      const int32_t leader_epoch = record->leader_epoch;
      const size_t size = record->SizeBytes();
      core.records.push_back({offset, leader_epoch, size, std::move(record)});
    }
    Feed(std::move(core));
  } else if (auto* assigned = std::get_if<ports::PartitionsAssigned>(&event)) {
    joined_ = true;
    std::vector<PartitionOffset> begin = assigned->partitions;
    Feed(std::move(*assigned));
    // With `latest`, what arrives while no member is there would be skipped:
    // the place where reading begins is committed before anything is read.
    if (options_.auto_offset_reset == config::OffsetReset::kLatest) {
      for (const PartitionOffset& one : begin) {
        if (one.offset != kNoOffset) Feed(delivery::PositionReached{one.tp, one.offset});
      }
    }
  } else if (auto* revoked = std::get_if<ports::PartitionsRevoked>(&event)) {
    Feed(std::move(*revoked));
  } else if (const auto* finished = std::get_if<ports::CommitFinished>(&event)) {
    absl::Status failure;
    if (auto core = commits_.Answered(finished->outcomes, now_, board_.commit_latency(), &failure)) {
      Feed(std::move(*core));
    }
    if (!failure.ok() && !finished_) {
      log_.CommitFailed(failure);
      FailSession(failure);
    }
    if (const absl::Status delay = commits_.TakeDelay(now_); !delay.ok() && !finished_) {
      log_.CommitDelayed(delay);
      board_.AddError(delay, now_);
      stream_->Send(ports::NoticeFrame{true, GetErrorInfo(delay).reason, std::string(delay.message())});
    }
  } else {
    TakeTrouble(std::get<ports::SourceTrouble>(event));
  }
}

void SessionLoop::TakeTrouble(const ports::SourceTrouble& trouble) {
  const ErrorReason reason = GetErrorInfo(trouble.status).reason;
  const bool ends =
      trouble.fatal || reason == ErrorReason::kAuthorizationFailed || (!joined_ && EndsAJoiningSession(reason));
  log_.Trouble(trouble.status, ends);
  board_.AddError(trouble.status, now_);
  if (ends) return FailSession(trouble.status);
  stream_->Send(ports::NoticeFrame{true, reason, std::string(trouble.status.message())});
}

void SessionLoop::FailSession(const absl::Status& status) {
  if (failure_.ok()) failure_ = status;
  Feed(delivery::Drain{delivery::DrainCause::kError});
  // Acks that are still to come could not be committed: no wait for them.
  if (!finished_) Feed(delivery::ClientDone{});
}

void SessionLoop::KeepHouse(absl::Time now) {
  if (machine_->NextDeadline() <= now) {
    Feed(delivery::Tick{});
    source_ready_ = true;  // the window may have opened
  }
  if (finished_) return;
  if (auto due = commits_.Due(now)) Feed(std::move(*due));
  if (auto report = commits_.TakeReport(now, /*final=*/false); !report.empty()) {
    stream_->Send(ports::CommittedFrame{std::move(report)});
  }
  if (now < next_housekeeping_) return;
  next_housekeeping_ = now + kHousekeeping;
  log_.KeepHouse(now);
  source_ready_ = true;
  ReportProgress();
}

// Only between polls: the source's positions must not be ahead of the records
// that the machine has seen.
void SessionLoop::ReportProgress() {
  const std::vector<ports::PartitionProgress> progress = source_->Progress();
  for (const ports::PartitionProgress& one : progress) {
    if (one.position != kNoOffset) Feed(delivery::PositionReached{one.tp, one.position});
    if (finished_) return;
  }
  board_.Publish(*machine_, Totals(), joined_, progress, now_);
}

void SessionLoop::Feed(delivery::Event event) {
  for (delivery::Action& action : machine_->Handle(now_, std::move(event))) {
    std::visit([this](auto& one) { Do(one); }, action);
  }
}

void SessionLoop::Do(delivery::Deliver& deliver) {
  sampler_.Delivered(deliver.first_id, now_);
  ports::DeliveriesFrame frame;
  frame.tp = std::move(deliver.tp);
  frame.first_id = deliver.first_id;
  frame.deliveries.reserve(deliver.records.size());
  for (delivery::Delivered& one : deliver.records) {
    frame.deliveries.push_back(
        {std::static_pointer_cast<const ports::Record>(std::move(one.payload)), one.attempt});
  }
  stream_->Send(std::move(frame));
}

void SessionLoop::Do(delivery::Withdraw& withdraw) {
  sampler_.Forget();
  stream_->Send(ports::WithdrawnFrame{std::move(withdraw.tp), withdraw.through});
}

void SessionLoop::Do(delivery::SetReadable& set) {
  source_->SetReadable(set.tp, set.readable);
  if (set.readable) source_ready_ = true;
}

void SessionLoop::Do(delivery::NotifyAssigned& assigned) {
  log_.Assigned(assigned.partitions);
  stream_->Send(ports::AssignedFrame{std::move(assigned.partitions)});
}

void SessionLoop::Do(delivery::NotifyRevoked& revoked) {
  sampler_.Forget();
  log_.Revoked(revoked.partitions, revoked.lost);
  stream_->Send(ports::RevokedFrame{revoked.revocation_id, std::move(revoked.partitions), revoked.lost});
}

void SessionLoop::Do(delivery::CommitOffsets& commit) {
  commits_.Sent(now_);
  source_->CommitAsync(commit.positions);
}

std::vector<ports::CommitOutcome> SessionLoop::CommitNow(const std::vector<PartitionOffset>& positions,
                                                         absl::Duration patience) {
  if (positions.empty()) return {};
  const absl::Time deadline = absl::Now() + patience;
  std::vector<ports::CommitOutcome> outcomes = source_->CommitSync(positions, kFinalCommitTimeout);
  // A coordinator that moves or loads refuses for seconds: there is no later
  // commit that would make up for this one.
  const auto retriable = [](const ports::CommitOutcome& one) { return one.retriable; };
  for (;;) {
    const auto rest = std::stable_partition(outcomes.begin(), outcomes.end(), std::not_fn(retriable));
    if (rest == outcomes.end() || absl::Now() + kCommitPause >= deadline) break;
    absl::SleepFor(kCommitPause);
    std::vector<PartitionOffset> again;
    for (auto one = rest; one != outcomes.end(); ++one) again.push_back(one->position);
    outcomes.erase(rest, outcomes.end());
    for (ports::CommitOutcome& outcome : source_->CommitSync(again, deadline - absl::Now())) {
      outcomes.push_back(std::move(outcome));
    }
  }
  commits_.Confirmed(outcomes);
  for (const ports::CommitOutcome& outcome : outcomes) {
    if (!outcome.status.ok() && !outcome.stale) log_.CommitFailed(outcome.status);
  }
  return outcomes;
}

void SessionLoop::Do(delivery::FinishRevoke& finish) {
  CommitNow(finish.positions, kRevokePatience);
  source_->FinishRevoke();
  source_ready_ = true;
}

void SessionLoop::Do(delivery::ReportFailure& failure) {
  sampler_.Forget();
  log_.RecordFailed(failure, now_);
  board_.AddError(
      ErrorBuilder(ErrorReason::kProcessingFailed)
          .At(failure.tp, failure.offset)
          .Build(absl::StrCat(ToString(failure.tp), " offset ", failure.offset.value(), ": ", failure.error)),
      now_);
}

void SessionLoop::Do(delivery::NotifyDraining& draining) {
  on_health_(false);
  log_.Draining(draining.cause, draining.timeout, machine_->in_flight_records());
  stream_->Send(ports::DrainingFrame{draining.cause, draining.timeout});
}

void SessionLoop::Do(delivery::Finish& finish) {
  finished_ = true;
  unacked_ = finish.unacked;
  on_health_(false);
  const bool committed = [&] {
    for (const ports::CommitOutcome& outcome : CommitNow(finish.positions, kFinalCommitTimeout)) {
      if (!outcome.status.ok() && !outcome.stale) return false;
    }
    return true;
  }();
  if (auto report = commits_.TakeReport(now_, /*final=*/true); !report.empty()) {
    stream_->Send(ports::CommittedFrame{std::move(report)});
  }
  const bool closed = source_->Close(kCloseTimeout);
  log_.Ended(finish, Totals(), clock_->Now() - started_at_, closed);
  finish.clean = finish.clean && committed;
  SendStopped(finish);
  // The stream may be gone as soon as Finish returns.
  std::exchange(stream_, nullptr)->Finish(failure_);
}

ports::SessionTotals SessionLoop::Totals() const {
  ports::SessionTotals totals = machine_->totals();
  totals.commits = commits_.confirmed();  // those at a revocation and at the end as well
  return totals;
}

void SessionLoop::SendStopped(const delivery::Finish& finish) {
  ports::StoppedFrame stopped;
  stopped.reason = finish.cause;
  stopped.message =
      finish.cause == delivery::DrainCause::kError ? std::string(failure_.message()) : finish.error;
  stopped.failed_record = finish.failed_record;
  stopped.totals = Totals();
  stopped.committed = commits_.last_commits();
  stopped.clean = finish.clean;
  stopped.unacked = finish.unacked;
  stream_->Send(std::move(stopped));
}

}  // namespace datapy_kafka::engine
