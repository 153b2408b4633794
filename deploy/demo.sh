#!/usr/bin/env bash
# Shows the daemon at work on this machine, with nothing to set up: a Kafka for
# trying things out runs inside the daemon, orders come in, and a Python job
# makes invoices of them through the daemon.
#
#   deploy/demo.sh [--seconds N]     until Ctrl+C, or for N seconds
#
# The job is deploy/demo/job.py.
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDS_TO_RUN=0
ORDERS_PER_SECOND=6
case "${1:-}" in
  "") ;;
  --seconds)
    SECONDS_TO_RUN=${2:-}
    if ! [[ $SECONDS_TO_RUN =~ ^[1-9][0-9]*$ ]]; then
      echo "demo.sh: --seconds needs a whole number above 0" >&2
      exit 2
    fi
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    [[ $1 == -h || $1 == --help ]] && exit 0
    exit 2
    ;;
esac

deploy/install-deps.sh demo
deploy/build.sh daemon
deploy/build.sh client

RUN=$(mktemp -d /tmp/datapy-kafka-demo.XXXXXX)
LOG=$RUN/daemon.log
DAEMON=
FEEDER=
end_process() {  # PID
  if [[ -n $1 ]] && kill -0 "$1" 2>/dev/null; then
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
  fi
}
clean_up() {
  end_process "$FEEDER"
  end_process "$DAEMON"
  rm -rf "$RUN"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In sessions of their own, so that Ctrl+C does not reach them; they end when
# this script does, however it ends.
in_background() {
  exec setsid setpriv --pdeathsig TERM -- "$@"
}

export DATAPY_KAFKA_ADDRESS=unix://$RUN/sidecar.sock
export PYTHONDONTWRITEBYTECODE=1
in_background build/datapy-kafka-sidecar --listen="$DATAPY_KAFKA_ADDRESS" --dev_broker >"$LOG" 2>&1 &
DAEMON=$!
for _ in {1..100}; do
  build/datapy-kafka-sidecar --listen="$DATAPY_KAFKA_ADDRESS" --health >/dev/null 2>&1 && break
  if ! kill -0 "$DAEMON" 2>/dev/null; then
    cat "$LOG" >&2
    echo "demo.sh: the daemon ended, see above" >&2
    exit 1
  fi
  sleep 0.1
done

in_background build/venv/bin/python deploy/demo/feeder.py "$RUN/fed" "$ORDERS_PER_SECOND" >"$RUN/feeder.log" 2>&1 &
FEEDER=$!
for _ in {1..100}; do
  [[ -e $RUN/fed ]] && break
  if ! kill -0 "$FEEDER" 2>/dev/null; then
    cat "$RUN/feeder.log" "$LOG" >&2
    echo "demo.sh: the feeder ended, see above" >&2
    exit 1
  fi
  sleep 0.05
done

cat <<EOF
The daemon listens at $DATAPY_KAFKA_ADDRESS
The job is deploy/demo/job.py: orders -> invoices, on_error "retry". Ctrl+C stops it.

EOF
# From here on Ctrl+C is for the job; this script ends the rest in order.
trap : INT
STATUS=0
build/venv/bin/python deploy/demo/job.py "$SECONDS_TO_RUN" 2>"$RUN/job.log" || STATUS=$?
if ((STATUS != 0)); then
  cat "$RUN/job.log" >&2
fi

end_process "$FEEDER"
kill -TERM "$DAEMON"
DAEMON_STATUS=0
wait "$DAEMON" || DAEMON_STATUS=$?
DAEMON=
echo
echo "The daemon stopped with exit code $DAEMON_STATUS. The last of its log:"
tail -n 8 "$LOG" | cut -c1-160 | sed 's/^/  /'
exit $((STATUS != 0 ? STATUS : DAEMON_STATUS))
