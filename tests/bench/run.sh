#!/usr/bin/env bash
# The benchmark on a real Apache Kafka: the daemon and its client against
# confluent-kafka inside the job. Installs and builds what it needs first.
#
#   tests/bench/run.sh             all legs, about half an hour; writes
#                                  tests/bench/RESULTS.md and its plots
#   tests/bench/run.sh --flat      and how costs grow with partitions, sessions …
#   tests/bench/run.sh --smoke     all parts in a minute or two; judges no speed
#   tests/bench/run.sh --plan quick --part drain --leg A --leg C
#                                  some legs; results into build/bench/quick
#   tests/bench/run.sh --help      every option
#
# Quote only ratios of one run, and from a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${BENCH_PREPARED:-} != 1 ]]; then
  deploy/install-deps.sh bench
  deploy/build.sh all
  deploy/build.sh client
  stamp=build/venv/.bench-$(sha256sum tests/bench/requirements.txt | cut -c1-16)
  if [[ ! -f $stamp ]]; then
    build/venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
    touch "$stamp"
  fi
fi
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 exec build/venv/bin/python -m bench "$@"
