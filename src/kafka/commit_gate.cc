#include "kafka/commit_gate.h"

#include "absl/strings/match.h"
#include "kafka/client_conf.h"

namespace datapy_kafka::kafka {
namespace {

constexpr const char* kName = "commit_gate";
constexpr int16_t kJoinGroup = 11;  // its number in the Kafka protocol

}  // namespace

bool CommitGate::IsNeeded(const rd_kafka_conf_t* conf) {
  return RD_KAFKA_VERSION < 0x020a00ff &&
         absl::StrContains(GetSetting(conf, "partition.assignment.strategy"), "cooperative");
}

void CommitGate::Install(rd_kafka_conf_t* conf) {
  rd_kafka_conf_interceptor_add_on_new(conf, kName, &CommitGate::OnNew, this);
}

rd_kafka_resp_err_t CommitGate::OnNew(rd_kafka_t* rk, const rd_kafka_conf_t* /*conf*/, void* gate,
                                      char* /*text*/, size_t /*size*/) {
  rd_kafka_interceptor_add_on_request_sent(rk, kName, &CommitGate::OnSent, gate);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t CommitGate::OnSent(rd_kafka_t* /*rk*/, int /*socket*/, const char* /*broker*/,
                                       int32_t /*broker_id*/, int16_t api, int16_t /*version*/,
                                       int32_t /*correlation*/, size_t /*size*/, void* gate) {
  if (api == kJoinGroup) static_cast<CommitGate*>(gate)->joining_.store(true, std::memory_order_relaxed);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace datapy_kafka::kafka
