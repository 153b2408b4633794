#include "signals.h"

#include <ctime>

namespace datapy_kafka {

StopSignals::StopSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int StopSignals::Wait() {
  int signal = 0;
  while (sigwait(&set_, &signal) != 0) {
  }
  return signal;
}

int StopSignals::WaitUntil(const std::function<bool()>& done) {
  // A signal ends the wait at once; `done` is looked at in between.
  const timespec tick{0, 20'000'000};
  while (!done()) {
    const int signal = sigtimedwait(&set_, nullptr, &tick);
    if (signal > 0) return signal;
  }
  return 0;
}

}  // namespace datapy_kafka
