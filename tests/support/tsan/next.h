// The library's function behind one that stands in front of it.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace datapy_kafka::tsan {

// The function of that name behind the program's own. `cached` is static, and
// null at first.
template <typename Function>
Function Next(const char* name, Function* cached) {
  Function found = __atomic_load_n(cached, __ATOMIC_RELAXED);
  if (found != nullptr) return found;
  void* const next = name == nullptr ? nullptr : dlsym(RTLD_NEXT, name);
  if (next == nullptr) {
    std::fprintf(stderr, "tsan: %s was not found in the shared libraries\n", name == nullptr ? "a name" : name);
    std::abort();
  }
  std::memcpy(&found, &next, sizeof(found));
  __atomic_store_n(cached, found, __ATOMIC_RELAXED);
  return found;
}

template <typename Member>
void* Address(Member member) {
  void* address;
  std::memcpy(&address, &member, sizeof(address));
  return address;
}

// The same for a member function, by the address of the program's own.
template <typename Function>
Function Next(void* here, Function* cached) {
  Function found = __atomic_load_n(cached, __ATOMIC_RELAXED);
  if (found != nullptr) return found;
  Dl_info info;
  return Next(dladdr(here, &info) == 0 ? nullptr : info.dli_sname, cached);
}

}  // namespace datapy_kafka::tsan
