// Leg E of the benchmark: a C++ loop on librdkafka that reads a topic from its
// first record, stores each offset and commits at the end; the floor.
//
//   floor_consumer --version
//   floor_consumer RESULT RECORDS BROKER_PID TOPIC[,TOPIC...] NAME=VALUE...
//
// NAME=VALUE are librdkafka properties, bootstrap.servers and group.id among
// them. Writes the measurements, from the first record to the commit of the
// last, as JSON into the file RESULT.
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

namespace {

constexpr int kPollMs = 1000;

[[noreturn]] void Fail(const std::string& why) {
  std::cerr << "floor_consumer: " << why << "\n";
  std::exit(1);
}

double Seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// User and system seconds of another process.
double CpuSecondsOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    Fail("process " + pid + " is not there");
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int skipped = 0; skipped < 11; ++skipped) {
    fields >> field;
  }
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

rd_kafka_t* MakeConsumer(int argc, char** argv) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> why{};
  for (int i = 5; i < argc; ++i) {
    const std::string property = argv[i];
    const size_t equals = property.find('=');
    if (equals == std::string::npos ||
        rd_kafka_conf_set(conf, property.substr(0, equals).c_str(), property.substr(equals + 1).c_str(),
                          why.data(), why.size()) != RD_KAFKA_CONF_OK) {
      Fail(property + ": " + why.data());
    }
  }
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (consumer == nullptr) {
    Fail(why.data());
  }
  rd_kafka_poll_set_consumer(consumer);
  return consumer;
}

void Subscribe(rd_kafka_t* consumer, const std::string& topics) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  std::istringstream names(topics);
  for (std::string name; std::getline(names, name, ',');) {
    rd_kafka_topic_partition_list_add(list, name.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Fail(rd_kafka_err2str(error));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--version") {
    std::cout << rd_kafka_version_str() << "\n";
    return 0;
  }
  if (argc < 6) {
    Fail("RESULT RECORDS BROKER_PID TOPICS NAME=VALUE...");
  }
  const int64_t target = std::atoll(argv[2]);
  const std::string broker = argv[3];
  rd_kafka_t* consumer = MakeConsumer(argc, argv);
  Subscribe(consumer, argv[4]);

  int64_t count = 0;
  uint64_t bytes = 0;
  double began = 0;
  double own_cpu = 0;
  double broker_cpu = 0;
  while (count < target) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, kPollMs);
    if (message == nullptr) {
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Fail(rd_kafka_message_errstr(message));
    }
    if (count == 0) {
      broker_cpu = CpuSecondsOf(broker);
      own_cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID);
      began = Seconds(CLOCK_MONOTONIC);
    }
    ++count;
    bytes += message->len + message->key_len;
    if (rd_kafka_offset_store(message->rkt, message->partition, message->offset) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      Fail("an offset was not stored");
    }
    rd_kafka_message_destroy(message);
  }
  const rd_kafka_resp_err_t committed = rd_kafka_commit(consumer, nullptr, /*async=*/0);
  if (committed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Fail(rd_kafka_err2str(committed));
  }
  const double seconds = Seconds(CLOCK_MONOTONIC) - began;
  own_cpu = Seconds(CLOCK_PROCESS_CPUTIME_ID) - own_cpu;
  broker_cpu = CpuSecondsOf(broker) - broker_cpu;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);

  std::ofstream(argv[1]) << "{\"count\": " << count << ", \"bytes\": " << bytes << ", \"seconds\": " << seconds
                         << ", \"cpu\": {\"job\": " << own_cpu << ", \"broker\": " << broker_cpu
                         << "}, \"rss\": {\"job\": " << static_cast<double>(usage.ru_maxrss) / 1024.0
                         << "}, \"librdkafka\": \"" << rd_kafka_version_str() << "\"}\n";
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}
