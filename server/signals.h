// SIGTERM and SIGINT as values: blocked everywhere, waited for by main.
//
//   StopSignals signals;                 // before any other thread starts
//   signals.Wait();                      // the first: drain
//   if (signals.WaitFor(done)) _exit(1); // a second: leave at once
#pragma once

#include <csignal>
#include <functional>

namespace datapy_kafka {

class StopSignals {
 public:
  // Blocks the signals in this thread and all that it starts; ignores SIGPIPE.
  StopSignals();

  // Waits for one; its number. Main thread.
  int Wait();

  // Waits until `done` returns true; the number of a signal that came first,
  // else 0. Main thread.
  int WaitUntil(const std::function<bool()>& done);

 private:
  sigset_t set_;
};

}  // namespace datapy_kafka
