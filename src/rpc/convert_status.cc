#include "convert_status.h"

#include <algorithm>

#include "frame_encoder.h"
#include "utf8.h"
#include "wire_time.h"

namespace datapy_kafka::rpc {
namespace {

constexpr size_t kMaxText = 1024;

void FillPartition(const ports::PartitionStatus& partition, v1::PartitionStatus* out) {
  out->set_topic(partition.tp.topic);
  out->set_partition(partition.tp.partition);
  out->set_position(partition.position.value());
  out->set_committed(partition.committed.value());
  out->set_high_watermark(partition.high_watermark.value());
  out->set_lag(partition.lag);
  out->set_in_flight_records(partition.in_flight_records);
  out->set_retrying(partition.retrying);
}

void FillOldest(const ports::OldestUnacked& oldest, absl::Time now, v1::OldestUnacked* out) {
  out->set_topic(oldest.tp.topic);
  out->set_partition(oldest.tp.partition);
  out->set_offset(oldest.offset.value());
  out->set_delivery_id(oldest.id.value());
  out->set_attempt(oldest.attempt);
  FillDuration(std::max(absl::ZeroDuration(), now - oldest.delivered_at), out->mutable_age());
}

void FillSession(const ports::SessionStatus& session, absl::Time now, v1::SessionStatus* out) {
  out->set_session_id(session.session_id);
  out->set_client_name(session.client_name);
  out->set_client_version(session.client_version);
  out->set_connection(session.connection);
  out->set_group_id(session.group_id);
  for (const std::string& topic : session.topics) out->add_topics(topic);
  out->set_state(static_cast<v1::SessionState>(session.state));
  FillTimestamp(session.started_at, out->mutable_started_at());
  out->set_failure_mode(static_cast<v1::FailureMode>(session.failure_mode));
  out->set_in_flight_records(session.in_flight_records);
  out->set_in_flight_bytes(session.in_flight_bytes);
  out->set_max_in_flight_records(session.max_in_flight_records);
  out->set_max_in_flight_bytes(session.max_in_flight_bytes);
  if (session.oldest_unacked.has_value())
    FillOldest(*session.oldest_unacked, now, out->mutable_oldest_unacked());
  out->set_acked_per_second(session.acked_per_second);
  FillTotals(session.totals, out->mutable_totals());
  for (const ports::PartitionStatus& partition : session.partitions)
    FillPartition(partition, out->add_partitions());
  for (const ports::RecentError& error : session.recent_errors) {
    v1::RecentError* one = out->add_recent_errors();
    FillTimestamp(error.time, one->mutable_time());
    one->set_reason(static_cast<v1::ErrorReason>(error.reason));
    one->set_message(ToValidUtf8(error.message, kMaxText));
  }
}

}  // namespace

void FillStatus(const ports::DaemonStatus& status, absl::Time now, v1::GetStatusResponse* out) {
  out->set_version(status.version);
  out->set_librdkafka_version(status.librdkafka_version);
  FillTimestamp(status.started_at, out->mutable_started_at());
  out->set_draining(status.draining);
  for (const ports::SessionStatus& session : status.sessions) FillSession(session, now, out->add_sessions());
  for (const ports::ProducerStatus& producer : status.producers) {
    v1::ProducerStatus* one = out->add_producers();
    one->set_connection(producer.connection);
    one->set_queued_records(producer.queued_records);
    one->set_delivered(producer.delivered);
    one->set_failed(producer.failed);
    one->set_delivered_bytes(producer.delivered_bytes);
  }
  for (const std::string& name : status.connection_names) out->add_connection_names(name);
  for (const std::string& address : status.listen_addresses) out->add_listen_addresses(address);
  out->set_sessions_ended(status.sessions_ended);
}

}  // namespace datapy_kafka::rpc
