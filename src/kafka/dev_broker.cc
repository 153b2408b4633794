#include "datapy_kafka/kafka/dev_broker.h"

#include <librdkafka/rdkafka.h>
// After rdkafka.h, as it asks.
#include <librdkafka/rdkafka_mock.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "datapy_kafka/base/error.h"
#include "kafka/client.h"

namespace datapy_kafka::kafka {
namespace {

// Topics get the mock's default of four partitions.
constexpr int kBrokers = 1;

class MockDevBroker final : public DevBroker {
 public:
  MockDevBroker(std::shared_ptr<Client> client, rd_kafka_mock_cluster_t* cluster)
      : client_(std::move(client)), cluster_(cluster) {}
  ~MockDevBroker() override {
    // The cluster lives on its client's threads: it goes first.
    rd_kafka_mock_cluster_destroy(cluster_);
    (void)ReleaseAndWait(std::move(client_), absl::Seconds(2));
  }

  std::string bootstrap_servers() const override { return rd_kafka_mock_cluster_bootstraps(cluster_); }

 private:
  std::shared_ptr<Client> client_;
  rd_kafka_mock_cluster_t* const cluster_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DevBroker>> DevBroker::Start() {
  ConfPtr conf(rd_kafka_conf_new());
  // Warnings and worse: the client that carries the mock has no brokers, and says so.
  rd_kafka_conf_set(conf.get(), "log_level", "4", nullptr, 0);
  absl::StatusOr<std::shared_ptr<Client>> client =
      Client::Make(RD_KAFKA_PRODUCER, std::move(conf), Client::Surroundings{});
  if (!client.ok()) return client.status();
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new((*client)->rk(), kBrokers);
  if (cluster == nullptr) {
    return ErrorBuilder(ErrorReason::kInternal)
        .Build("cannot start the development broker: no free port on loopback, or no memory");
  }
  return std::unique_ptr<DevBroker>(std::make_unique<MockDevBroker>(*std::move(client), cluster));
}

}  // namespace datapy_kafka::kafka
