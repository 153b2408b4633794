// Which troubles are worth telling the job, and which it has heard already.
//
// librdkafka reports a broker that is down each time it tries again. A source's
// own; its engine thread alone.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "datapy_kafka/base/error.h"

namespace datapy_kafka::kafka {

class TroubleFilter {
 public:
  // True for the first trouble of this reason about this subject (a topic, or
  // nothing), and again after a minute. An unknown topic is told once.
  bool Admit(ErrorReason reason, const std::string& subject, absl::Time now) {
    const auto [found, added] = told_.try_emplace({reason, subject}, now);
    if (added) return true;
    if (reason == ErrorReason::kUnknownTopic || now - found->second < kInterval) return false;
    found->second = now;
    return true;
  }

  // The topic is there: should it go, that is news.
  void TopicSeen(const std::string& topic) { told_.erase({ErrorReason::kUnknownTopic, topic}); }

 private:
  static constexpr absl::Duration kInterval = absl::Minutes(1);
  std::map<std::pair<ErrorReason, std::string>, absl::Time> told_;
};

}  // namespace datapy_kafka::kafka
