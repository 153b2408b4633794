#!/usr/bin/env bash
# Runs the tests. Installs and builds what they need first.
#
#   tests/run.sh                     every suite that CI runs
#   tests/run.sh SUITE [ARGUMENT...] one suite; arguments go to its runner,
#                                    for example: integration -k retry
#
# Suites:
#   style        formatting, clang-tidy, order of the modules, limits of files
#   unit         C++ unit tests and scenarios (arguments go to ctest)
#   python       the Python client and the mods (pytest)
#   integration  daemon and jobs on a real Apache Kafka (pytest)
#   security     secured brokers, hostile clients, secrets (pytest)
#   chaos        crashes and faults under load (pytest; --full: the long form)
#   sanitizers   unit and integration tests under ASan+UBSan, and under TSan
#   fuzz         every fuzzer for FUZZ_SECONDS (30) on its corpus
#   bench-smoke  the benchmark in a short form that does not judge speed
#   deploy       manifests, metrics, alerts, dashboard, Python packages (pytest)
#   image        deploy, the container images, Debian 13 (pytest; needs root)
#   debian13     the part of image that builds, tests and packages on Debian 13
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD

# What CI runs, quick ones first.
CI_SUITES=(style unit python integration deploy security fuzz bench-smoke chaos)

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

need() {  # TASK of install-deps.sh
  deploy/install-deps.sh "$1"
}

need_folder() {  # PATH
  if [[ ! -e $1 ]]; then
    echo "run.sh: this suite has no tests: $1 is missing" >&2
    return 1
  fi
}

# grpcurl, built once. This release builds with the Go of Debian 12.
need_grpcurl() {
  if [[ ! -x build/tools/grpcurl ]]; then
    echo "Building grpcurl ..."
    GOBIN=$ROOT/build/tools go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9 \
      2>build/grpcurl.log || { cat build/grpcurl.log >&2; return 1; }
  fi
}

# A shared machine may stand still for seconds, longer than a test waits: when
# all suites run, a test that fails has a second try, and is named. The delivery
# core's histories are the same again, and what the checker of tests/chaos has
# judged has no second try.
TRIES=1

run_pytest() {  # ARGUMENT...
  PYTHONDONTWRITEBYTECODE=1 build/venv/bin/python -m pytest -q -p no:cacheprovider \
    --reruns $((TRIES - 1)) --rerun-except 'produced [0-9]+, finished' "$@"
}

prepare_broker_tests() {  # TASK
  need "$1"
  deploy/build.sh all
  deploy/build.sh tests
  need_grpcurl
}

suite_style() {
  need style
  need_folder tests/style
  deploy/build.sh all
  deploy/build.sh tests
  git ls-files '*.cc' '*.h' | xargs build/venv/bin/clang-format --dry-run --Werror
  run_pytest tests/style "$@"
  # Last: it takes minutes. What includes gRPC or librdkafka takes ten more and
  # is checked on demand: TIDY='(src|server)' tests/run.sh style
  local tidy=${TIDY:-src/(base|ports|delivery|config|telemetry|engine)}
  run-clang-tidy -quiet -p build -j "$(nproc)" "^$ROOT/$tidy/" >build/clang-tidy.log 2>&1 || {
    grep -E '(warning|error):' -A3 build/clang-tidy.log >&2 || cat build/clang-tidy.log >&2
    return 1
  }
}

suite_unit() {
  need unit
  deploy/build.sh all
  # A million random histories of the delivery core against its model.
  DATAPY_KAFKA_HISTORIES=${DATAPY_KAFKA_HISTORIES:-1000000} \
    ctest --test-dir build --output-on-failure --no-tests=error -j 4 --repeat "until-pass:$TRIES" "$@"
}

suite_python() {
  need python
  need_folder tests/python
  deploy/build.sh tests
  run_pytest tests/python "$@"
}

suite_integration() {
  prepare_broker_tests integration
  run_pytest tests/integration "$@"
}

suite_security() {
  need_folder tests/security
  prepare_broker_tests security
  run_pytest tests/security "$@"
}

suite_chaos() {
  need_folder tests/chaos
  prepare_broker_tests chaos
  run_pytest tests/chaos "$@"
}

suite_sanitizers() {
  prepare_broker_tests sanitizers
  local preset
  for preset in asan tsan; do
    cmake --preset "$preset" >build/"$preset".log 2>&1 || { cat build/"$preset".log >&2; return 1; }
    cmake --build "build/$preset" --parallel "$(nproc)" | tail -n 1
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j 4
    DATAPY_KAFKA_SIDECAR_BINARY=$ROOT/build/$preset/datapy-kafka-sidecar run_pytest tests/integration "$@"
  done
}

suite_fuzz() {
  need_folder tests/fuzz/corpus
  need fuzz
  cmake --preset fuzz >build/fuzz.log 2>&1 || { cat build/fuzz.log >&2; return 1; }
  cmake --build build/fuzz --parallel "$(nproc)" | tail -n 1
  local corpus target
  for corpus in tests/fuzz/corpus/*/; do
    target=$(basename "$corpus")
    echo "$target: ${FUZZ_SECONDS:-30} s"
    # New inputs go to the first folder; the corpus in the tree is only read.
    mkdir -p "build/fuzz/new/$target"
    "$(find build/fuzz -type f -executable -name "$target" | head -n 1)" -max_total_time="${FUZZ_SECONDS:-30}" -print_final_stats=1 \
      -artifact_prefix=build/fuzz/ "build/fuzz/new/$target" "$corpus" 2>&1 | tail -n 20
  done
}

suite_bench-smoke() {
  need_folder tests/bench/run.sh
  need bench
  deploy/build.sh all
  deploy/build.sh tests
  tests/bench/run.sh --smoke "$@"
}

prepare_image_tests() {  # TASK
  need "$1"
  deploy/build.sh daemon
  deploy/build.sh tests
}

suite_deploy() {
  need_folder tests/image
  prepare_image_tests deploy
  run_pytest tests/image -m "not debian13" "$@"
}

suite_image() {
  need_folder tests/image
  prepare_image_tests image
  run_pytest tests/image "$@"
}

suite_debian13() {
  need_folder tests/image
  prepare_image_tests image
  run_pytest tests/image/test_debian13.py tests/image/test_packages.py "$@"
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
if (($# > 0)); then
  if ! declare -F "suite_$1" >/dev/null; then
    echo "run.sh: there is no suite '$1'" >&2
    usage >&2
    exit 2
  fi
  SUITES=("$1")
  shift
else
  SUITES=("${CI_SUITES[@]}")
  TRIES=2
fi

TABLE=$(printf '%-14s %-8s %s' suite result seconds)
PASSED=0
FAILED=0
for suite in "${SUITES[@]}"; do
  printf '\n==== %s ====\n' "$suite"
  start=$SECONDS
  # Not as a condition: bash ignores `set -e` inside one.
  set +e
  (set -e; "suite_$suite" "$@")
  status=$?
  set -e
  if ((status == 0)); then
    result=passed
    PASSED=$((PASSED + 1))
  else
    result=FAILED
    FAILED=$((FAILED + 1))
  fi
  TABLE+=$'\n'$(printf '%-14s %-8s %7d' "$suite" "$result" $((SECONDS - start)))
done

printf '\n%s\n\n%d passed, %d failed\n' "$TABLE" "$PASSED" "$FAILED"
((FAILED == 0))
