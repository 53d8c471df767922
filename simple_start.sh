#!/usr/bin/env bash
# Starts a server and a worker in the background on this folder's SQLite file; --stop ends both, --status tells.
#   ./simple_start.sh [--stop | --status]        TASKFLOW_SERVER_PORT=9000 ./simple_start.sh
set -euo pipefail
cd "$(dirname "$0")"

taskflow() { node bin/taskflow.js "$@"; }
state=.taskflow
worker_pid=$state/worker.pid

worker_runs() { [ -f "$worker_pid" ] && kill -0 "$(cat "$worker_pid")" 2> /dev/null; }

start() {
  mkdir -p "$state"
  taskflow server start --detach
  if worker_runs; then
    echo "the worker already runs (process $(cat "$worker_pid"))"
  else
    nohup node bin/taskflow.js worker start --tasks examples/tasks >> "$state/worker.log" 2>&1 &
    echo $! > "$worker_pid"
    echo "worker started (process $!, log in $state/worker.log)"
  fi
  echo 'stop both with ./simple_start.sh --stop'
}

stop() {
  if worker_runs; then
    pid=$(cat "$worker_pid")
    kill "$pid"
    # A worker lets its tasks end first; it has its own limit for that.
    while kill -0 "$pid" 2> /dev/null; do sleep 0.2; done
    echo 'worker stopped'
  fi
  rm -f "$worker_pid"
  taskflow server stop
}

case "${1:-}" in
  '') start ;;
  --stop) stop ;;
  --status)
    taskflow server status || true
    if worker_runs; then echo "worker runs (process $(cat "$worker_pid"))"; else echo 'no worker runs'; fi
    ;;
  *) sed -n '2,3s/^# *//p' "$0"; exit 2 ;;
esac
