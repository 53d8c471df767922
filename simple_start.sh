#!/usr/bin/env bash
# Starts a server and a worker in the background on this folder's SQLite file; --stop ends both, --status tells.
#   ./simple_start.sh [--stop | --status]        TASKFLOW_SERVER_PORT=9000 ./simple_start.sh
set -euo pipefail
cd "$(dirname "$0")"

taskflow() { node bin/taskflow.js "$@"; }
state=.taskflow
worker_pid=$state/worker.pid

# A process that was killed keeps its number until its parent has looked: ps calls it Z.
lives() { kill -0 "$1" 2> /dev/null && [[ "$(ps -o stat= -p "$1" 2> /dev/null)" != Z* ]]; }
worker_runs() { [ -f "$worker_pid" ] && lives "$(cat "$worker_pid")"; }

start() {
  mkdir -p "$state"
  taskflow server status 2> /dev/null || taskflow server start --detach
  if worker_runs; then
    echo "the worker already runs (process $(cat "$worker_pid"))"
  else
    # Node 24 itself: an older one would only hand over to it, and its process id is not the worker's.
    node24=$(node --input-type=module -e "console.log(await (await import('./bootstrap/node24.mjs')).node24())")
    nohup "$node24" bin/taskflow.js worker start --tasks examples/tasks >> "$state/worker.log" 2>&1 &
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
    while lives "$pid"; do sleep 0.2; done
    echo 'worker stopped'
  fi
  rm -f "$worker_pid"
  if taskflow server status > /dev/null 2>&1; then taskflow server stop; else echo 'no server runs'; fi
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
