#!/usr/bin/env bash
# Builds into build/ what a script beside it needs, and only what has changed:
#
#   deploy/build.sh daemon   build/datapy-kafka-sidecar
#   deploy/build.sh all      the daemon, the unit tests and the benchmarks
#   deploy/build.sh client   build/venv: Python with the client
#   deploy/build.sh tests    build/venv with what the tests need besides
#
# deploy/install-deps.sh installs what this needs.
set -euo pipefail
cd "$(dirname "$0")/.."

# Runs a step and says so only when it takes a while; when it fails, shows what
# it printed.
quietly() {  # DESCRIPTION COMMAND...
  local log status=0 start=$SECONDS announcer
  log=$(mktemp)
  # The sleep outlives its kill, so it must not hold the lock or the output.
  (
    sleep 1 </dev/null >/dev/null 2>&1 9>&-
    echo "$1 ..."
  ) &
  announcer=$!
  "${@:2}" >"$log" 2>&1 || status=$?
  kill "$announcer" 2>/dev/null && wait "$announcer" 2>/dev/null || true
  if ((status != 0)); then
    cat "$log" >&2
    echo "build.sh: failed: ${*:2}" >&2
  elif ((SECONDS - start > 1)); then
    echo "    done in $((SECONDS - start)) s"
  fi
  rm -f "$log"
  return "$status"
}

cached_option() {  # NAME
  sed -n "s/^$1:[A-Z]*=//p" build/CMakeCache.txt 2>/dev/null || true
}

configure() {  # CMAKE_OPTION...
  quietly "Configuring the build" cmake --preset release "$@"
}

build() {  # DESCRIPTION NINJA_TARGET...
  quietly "$1" cmake --build build --parallel "$(nproc)" --target "${@:2}"
}

build_daemon() {
  # The tests are left as they were configured; at first they are off, so that
  # a demo needs no test framework.
  if [[ ! -f build/build.ninja ]]; then
    configure -DDATAPY_KAFKA_TESTS=OFF -DDATAPY_KAFKA_BENCH=OFF
  fi
  build "Compiling the daemon (the first time takes a few minutes)" datapy-kafka-sidecar
}

build_all() {
  if [[ ! -f build/build.ninja || $(cached_option DATAPY_KAFKA_TESTS) != ON ||
    $(cached_option DATAPY_KAFKA_BENCH) != ON ]]; then
    configure -DDATAPY_KAFKA_TESTS=ON -DDATAPY_KAFKA_BENCH=ON
  fi
  build "Compiling the daemon and its tests" all
}

hash_of() {  # PATH...
  find "$@" -type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*' -not -path '*/build/*' \
    -not -name '*_pb2*' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

# Runs pip only when a stamp, named by a hash of all that it depends on, is not
# there; a virtual environment whose Python has gone is made anew.
install_once() {  # STAMP_NAME HASH DESCRIPTION PIP_ARGUMENT...
  local stamp=build/venv/.$1-$2
  if ! build/venv/bin/python -c '' 2>/dev/null; then
    quietly "Making a Python environment in build/venv" python3 -m venv --clear build/venv
  fi
  if [[ ! -f $stamp ]]; then
    rm -f build/venv/."$1"-*
    quietly "$3" build/venv/bin/python -m pip install --quiet --disable-pip-version-check "${@:4}"
    touch "$stamp"
  fi
}

build_client() {
  install_once client "$(hash_of client-python proto)" "Installing the Python client" ./client-python
}

build_test_environment() {
  build_client
  install_once tests "$(hash_of tests/requirements.txt tests/python/requirements.txt)" "Installing what the tests need" \
    -r tests/requirements.txt
}

mkdir -p build
# Two scripts at a time would write the same files.
exec 9>build/.lock
flock 9
case "${1:-}" in
  daemon) build_daemon ;;
  all) build_all ;;
  client) build_client ;;
  tests) build_test_environment ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
