#include "datapy_kafka/base/types.h"

#include "absl/strings/str_cat.h"

namespace datapy_kafka {

std::string ToString(const TopicPartition& tp) { return absl::StrCat(tp.topic, "[", tp.partition, "]"); }

std::ostream& operator<<(std::ostream& out, const TopicPartition& tp) { return out << ToString(tp); }

}  // namespace datapy_kafka
