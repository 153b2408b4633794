#!/usr/bin/env bash
# Installs the Debian 12 or 13 packages that a task needs:
#
#   deploy/install-deps.sh [TASK...]      "--help" lists the tasks; default: build
#
# Says what it installs and why, and nothing at all when nothing is missing:
# then it needs neither root nor network. Uses sudo when it is not root.
set -euo pipefail

# An entry is PACKAGE, or PACKAGE=COMMAND when any provider of that command
# will do (a JDK or a Go that did not come from the distribution).
declare -A WHAT=(
  [build]="compile the daemon"
  [client]="make a Python environment with the client"
  [demo]="run deploy/demo.sh"
  [package]="make the Debian package"
  [unit]="compile and run the unit tests"
  [python]="run the tests of the Python client"
  [style]="check formatting and lint"
  [kafka]="run Apache Kafka for the tests"
  [integration]="run the tests against Apache Kafka"
  [security]="run the security tests"
  [chaos]="run the fault tests"
  [sanitizers]="run the tests under sanitizers"
  [fuzz]="run the fuzzers"
  [bench]="run the benchmark"
  [deploy]="check manifests, metrics and alerts"
  [image]="build and run the container image"
)
declare -A PACKAGES=(
  [build]="git cmake ninja-build g++ ccache pkg-config librdkafka-dev libgrpc++-dev libprotobuf-dev
           protobuf-compiler protobuf-compiler-grpc libabsl-dev libspdlog-dev prometheus-cpp-dev libssl-dev
           libjemalloc-dev"
  [client]="ca-certificates python3=python3 python3-venv"
  [unit]="libgtest-dev libgmock-dev libbenchmark-dev openssl=openssl"
  [package]="file dpkg-dev"
  [style]="clang-tidy clang"
  [kafka]="default-jdk-headless=java maven=mvn openssl=openssl"
  [grpcurl]="golang-go=go ca-certificates jq=jq"
  [security]="binutils=readelf"
  [fuzz]="clang libclang-rt-dev"
  [prometheus]="prometheus=promtool"
  [deploy]="golang-go=go ca-certificates"
  [image]="buildah debootstrap"
)
# Tasks that a task includes.
declare -A INCLUDES=(
  [demo]="build client"
  [unit]="build"
  [package]="build"
  [python]="build client"
  [style]="unit client"
  [integration]="unit client kafka grpcurl"
  [security]="integration"
  [chaos]="integration"
  [sanitizers]="integration"
  [fuzz]="build"
  [bench]="unit client kafka"
  [deploy]="build client kafka prometheus"
  [image]="deploy"
)

usage() {
  echo "usage: deploy/install-deps.sh [TASK...]"
  local task
  for task in $(printf '%s\n' "${!WHAT[@]}" | sort); do
    printf '  %-12s %s\n' "$task" "${WHAT[$task]}"
  done
}

# Prints the entries of a task and of what it includes.
entries_of() {
  local included
  for included in ${INCLUDES[$1]:-}; do
    entries_of "$included"
  done
  echo "${PACKAGES[$1]:-}"
}

is_present() {  # ENTRY
  local package=${1%%=*}
  if [[ $1 == *=* ]] && command -v "${1#*=}" >/dev/null; then
    return 0
  fi
  if [[ $package == python3-venv ]] && python3 -c 'import ensurepip, venv' 2>/dev/null; then
    return 0
  fi
  [[ " $INSTALLED " == *" $package "* ]]
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
TASKS=("${@:-build}")
ENTRIES=
for task in "${TASKS[@]}"; do
  if [[ -z ${WHAT[$task]:-} ]]; then
    echo "install-deps.sh: there is no task '$task'" >&2
    usage >&2
    exit 2
  fi
  ENTRIES+=" $(entries_of "$task")"
done
ENTRIES=$(tr -s ' \n' '\n' <<<"$ENTRIES" | sort -u)

if ! command -v dpkg-query >/dev/null; then
  echo "install-deps.sh: this is no Debian system; install the equivalents of:" >&2
  echo $ENTRIES | sed 's/=[^ ]*//g' >&2
  exit 1
fi
# Names as they were asked for: a virtual package counts when it is provided.
INSTALLED=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null |
  sed -n 's/^installed //p' | tr '\n' ' ')
MISSING=()
for entry in $ENTRIES; do
  is_present "$entry" || MISSING+=("${entry%%=*}")
done
if ((${#MISSING[@]} == 0)); then
  exit 0
fi

AS_ROOT=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install-deps.sh: these packages are missing and only root can install them; as root, run:" >&2
    echo "  apt-get install ${MISSING[*]}" >&2
    exit 1
  fi
  AS_ROOT=(sudo)
fi
for task in "${TASKS[@]}"; do
  echo "To ${WHAT[$task]}, installing with apt-get${AS_ROOT:+ through sudo}:"
done
echo "  ${MISSING[*]}" | fold -s -w 78

LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
run_apt() {
  "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$LOG" 2>&1
}
if ! { run_apt update && run_apt install -y --no-install-recommends "${MISSING[@]}"; }; then
  cat "$LOG" >&2
  echo "install-deps.sh: apt-get failed, see above" >&2
  exit 1
fi
