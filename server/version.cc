// Apart from the rest: it is compiled again at every commit.
#include "version.h"

#include "daemon.h"

namespace datapy_kafka {

std::string Version() { return DATAPY_KAFKA_VERSION; }

}  // namespace datapy_kafka
