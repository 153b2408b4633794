// Ties rpc to engine and kafka: what each call of the API does.
//
// Thread-safe. Owned by main; outlives the RPC server.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "datapy_kafka/config/options.h"
#include "datapy_kafka/engine/session_manager.h"
#include "datapy_kafka/engine/sink_pool.h"
#include "datapy_kafka/engine/task_runner.h"
#include "datapy_kafka/rpc/backend.h"

namespace datapy_kafka {

class DaemonBackend final : public rpc::Backend {
 public:
  struct Setup {
    std::map<std::string, config::ConnectionOptions> connections;
    config::Limits limits;
    absl::Duration drain_timeout;
    std::string version;
    engine::HealthListener on_session_health;
  };
  explicit DaemonBackend(Setup setup);

  // rpc::Backend
  absl::StatusOr<config::ConnectionOptions> ResolveConnection(absl::string_view name) override;
  absl::StatusOr<std::shared_ptr<ports::Session>> StartSession(config::SessionOptions options,
                                                               ports::SessionStream* stream) override;
  void CheckConnection(config::ConnectionOptions connection, absl::Duration timeout, CheckDone done) override;
  void Produce(config::ConnectionOptions connection, config::Properties properties, ports::ProduceBatch batch,
               ProduceDone done) override;
  ports::DaemonStatus GetStatus() override;

  // For GetStatus. Any thread: calls may come before it is known where from.
  void SetListenAddresses(std::vector<std::string> addresses);

  // Ends every session cleanly, then delivers what producers hold. Blocks. The
  // number of deliveries and of produced records that were left.
  struct Leftovers {
    uint64_t unacked = 0;
    uint64_t unsent = 0;
  };
  Leftovers Drain(absl::Duration timeout);

 private:
  const std::map<std::string, config::ConnectionOptions> connections_;
  const std::string version_;
  const absl::Time started_at_;
  absl::Mutex mutex_;
  std::vector<std::string> listen_addresses_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> draining_{false};
  engine::SessionManager sessions_;
  engine::SinkPool sinks_;
  // Last: its destructor waits for what runs, which uses draining_ and sinks_.
  engine::TaskRunner checks_;
};

}  // namespace datapy_kafka
