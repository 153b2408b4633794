#include "frame_encoder.h"

#include <utility>
#include <variant>

#include "columns_encoder.h"
#include "rows_encoder.h"
#include "utf8.h"
#include "wire_time.h"
#include "wire_writer.h"

namespace datapy_kafka::rpc {
namespace {

// What room for headers may be kept for each record.
constexpr size_t kKeptBytes = 4096;
// Texts of people and brokers, in frames that are not for data.
constexpr size_t kMaxText = 8192;

void FillPosition(const PartitionOffset& position, v1::PartitionOffset* out) {
  out->set_topic(position.tp.topic);
  out->set_partition(position.tp.partition);
  out->set_offset(position.offset.value());
}

struct ControlFiller {
  const std::string& daemon_version;
  v1::ConsumeResponse* out;

  void operator()(const ports::StartedFrame& frame) const {
    v1::Started* started = out->mutable_started();
    started->set_session_id(frame.session_id);
    started->set_daemon_version(daemon_version);
    started->set_max_in_flight_records(frame.max_in_flight_records);
    started->set_max_in_flight_bytes(frame.max_in_flight_bytes);
    started->set_max_attempts(frame.max_attempts);
    FillDuration(frame.drain_timeout, started->mutable_drain_timeout());
  }
  void operator()(const ports::AssignedFrame& frame) const {
    v1::Assigned* assigned = out->mutable_assigned();
    for (const PartitionOffset& position : frame.partitions) FillPosition(position, assigned->add_partitions());
  }
  void operator()(const ports::RevokedFrame& frame) const {
    v1::Revoked* revoked = out->mutable_revoked();
    revoked->set_revocation_id(frame.revocation_id);
    revoked->set_lost(frame.lost);
    for (const TopicPartition& tp : frame.partitions) {
      v1::TopicPartition* one = revoked->add_partitions();
      one->set_topic(tp.topic);
      one->set_partition(tp.partition);
    }
  }
  void operator()(const ports::DeliveriesFrame&) const {}  // Columns and Rows
  void operator()(const ports::WithdrawnFrame& frame) const {
    v1::Withdrawn* withdrawn = out->mutable_withdrawn();
    withdrawn->set_topic(frame.tp.topic);
    withdrawn->set_partition(frame.tp.partition);
    withdrawn->set_through_delivery_id(frame.through.value());
  }
  void operator()(const ports::CommittedFrame& frame) const {
    v1::Committed* committed = out->mutable_committed();
    for (const PartitionOffset& position : frame.positions) FillPosition(position, committed->add_partitions());
  }
  void operator()(const ports::NoticeFrame& frame) const {
    v1::Notice* notice = out->mutable_notice();
    notice->set_severity(frame.warning ? v1::SEVERITY_WARNING : v1::SEVERITY_INFO);
    notice->set_reason(static_cast<v1::ErrorReason>(frame.reason));
    notice->set_message(ToValidUtf8(frame.message, kMaxText));
  }
  void operator()(const ports::DrainingFrame& frame) const {
    v1::Draining* draining = out->mutable_draining();
    draining->set_reason(static_cast<v1::StopReason>(frame.reason));
    FillDuration(frame.timeout, draining->mutable_timeout());
  }
  void operator()(const ports::StoppedFrame& frame) const {
    v1::Stopped* stopped = out->mutable_stopped();
    stopped->set_reason(static_cast<v1::StopReason>(frame.reason));
    stopped->set_message(ToValidUtf8(frame.message, kMaxText));
    if (frame.failed_record.has_value()) FillPosition(*frame.failed_record, stopped->mutable_failed_record());
    FillTotals(frame.totals, stopped->mutable_totals());
    for (const PartitionOffset& position : frame.committed) FillPosition(position, stopped->add_committed());
    stopped->set_clean(frame.clean);
    stopped->set_unacked(frame.unacked);
  }
};

// Cleared strings keep their memory: a stream would come to hold the sum of its
// largest headers.
bool HoldsLargeHeaders(const RecordBatch& batch) {
  for (const RecordBatch::Run& run : batch.runs) {
    for (const ports::Delivery& delivery : run.deliveries) {
      size_t size = 0;
      for (const ports::Header& header : delivery.record->headers) {
        size += header.name.size() + header.value.value_or("").size();
      }
      if (size > kKeptBytes) return true;
    }
  }
  return false;
}

grpc::ByteBuffer Serialized(const v1::ConsumeResponse& message) {
  WireWriter out(message.ByteSizeLong());
  out.Message(message);
  return std::move(out).Finish();
}

}  // namespace

FrameEncoder::FrameEncoder(std::string daemon_version) : daemon_version_(std::move(daemon_version)) {}

grpc::ByteBuffer FrameEncoder::Columns(const RecordBatch& batch) {
  grpc::ByteBuffer encoded = EncodeColumns(batch, &head_);
  if (HoldsLargeHeaders(batch)) head_ = v1::RecordColumns();
  return encoded;
}

grpc::ByteBuffer FrameEncoder::Rows(const RecordBatch& batch) {
  // For people, who read few: not worth memory that is kept.
  v1::ConsumeResponse message;
  EncodeRows(batch, message.mutable_records());
  return Serialized(message);
}

grpc::ByteBuffer FrameEncoder::Control(const ports::ServerFrame& frame) {
  control_.Clear();
  std::visit(ControlFiller{daemon_version_, &control_}, frame);
  return Serialized(control_);
}

void FillTotals(const ports::SessionTotals& totals, v1::SessionTotals* out) {
  out->set_delivered(totals.delivered);
  out->set_acked(totals.acked);
  out->set_nacked(totals.nacked);
  out->set_retried(totals.retried);
  out->set_skipped(totals.skipped);
  out->set_stale_acks(totals.stale_acks);
  out->set_commits(totals.commits);
  out->set_rebalances(totals.rebalances);
  out->set_delivered_bytes(totals.delivered_bytes);
}

}  // namespace datapy_kafka::rpc
