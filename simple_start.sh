#!/usr/bin/env bash
# Starts Redis, a server and a worker in the background; --stop ends them, --status tells. Their data and logs are in .taskflow/.
#   ./simple_start.sh [--stop | --status]        TASKFLOW_SERVER_PORT=9000 ./simple_start.sh
# REDIS_URL, DATABASE_URL or TASKFLOW_BROKER use what runs already; without a redis-server everything is in one SQLite file.
set -euo pipefail
cd "$(dirname "$0")"

taskflow() { node bin/taskflow.js "$@"; }
state=.taskflow
worker_pid=$state/worker.pid
redis_pid=$PWD/$state/redis.pid
redis_port=${REDIS_PORT:-6390}
own_redis=redis://127.0.0.1:$redis_port

# A process that was killed keeps its number until its parent has looked: ps calls it Z.
lives() { kill -0 "$1" 2> /dev/null && [[ "$(ps -o stat= -p "$1" 2> /dev/null)" != Z* ]]; }
# Nor is a number that a later process has got after a crash the one that was started here.
runs() {
  [ -f "$1" ] || return 1
  local name='taskflow.js worker'
  case "$1" in *redis.pid) name=redis-server ;; esac
  lives "$(cat "$1")" && ps -o args= -p "$(cat "$1")" | grep -q -- "$name"
}

# Redis moves the tasks; the record of what happened is an SQLite file beside it, where no database is named.
choose_store() {
  if [ -n "${TASKFLOW_BROKER:-}" ]; then return; fi
  if [ -n "${REDIS_URL:-}" ]; then
    export TASKFLOW_BROKER=$REDIS_URL
  elif [ -n "${DATABASE_URL:-}" ]; then
    return
  elif command -v redis-server > /dev/null; then
    export TASKFLOW_BROKER=$own_redis
  else
    echo 'no redis-server here: everything is in one SQLite file'
    return
  fi
  export TASKFLOW_STORE=${TASKFLOW_STORE:-${DATABASE_URL:-sqlite:./$state/record.db}}
}

start_redis() {
  if [ "${TASKFLOW_BROKER:-}" != "$own_redis" ]; then return; fi
  if runs "$redis_pid"; then echo "Redis already runs (process $(cat "$redis_pid"))"; return; fi
  mkdir -p "$state/redis"
  redis-server --daemonize yes --bind 127.0.0.1 --port "$redis_port" --dir "$state/redis" --pidfile "$redis_pid" \
    --logfile redis.log --appendonly yes --appendfsync everysec --save '' --maxmemory-policy noeviction > /dev/null
  for _ in {1..100}; do
    # Its own number too: another one may have the port.
    if runs "$redis_pid" && (exec 3<> "/dev/tcp/127.0.0.1/$redis_port") 2> /dev/null; then
      echo "Redis started (port $redis_port, log in $state/redis/redis.log)"
      return
    fi
    sleep 0.1
  done
  echo "Redis did not start: $(tail -n 1 "$state/redis/redis.log" 2> /dev/null)" >&2
  exit 1
}

start() {
  mkdir -p "$state"
  start_redis
  taskflow server status 2> /dev/null || taskflow server start --detach
  if runs "$worker_pid"; then
    echo "the worker already runs (process $(cat "$worker_pid"))"
  else
    # Node 24 itself: an older one would only hand over to it, and its process id is not the worker's.
    node24=$(node --input-type=module -e "console.log(await (await import('./bootstrap/node24.mjs')).node24())")
    nohup "$node24" bin/taskflow.js worker start --tasks examples/tasks >> "$state/worker.log" 2>&1 &
    echo $! > "$worker_pid"
    echo "worker started (process $!, log in $state/worker.log)"
  fi
  if [ "${TASKFLOW_BROKER:-}" = "$own_redis" ]; then
    echo "use it with  export TASKFLOW_BROKER=$own_redis TASKFLOW_STORE=$TASKFLOW_STORE"
  fi
  echo 'try it with  npx taskflow run demo.hello'
  echo 'stop it with ./simple_start.sh --stop'
}

# Ends the process of a file with its number, and waits until it has.
end() {
  if runs "$1"; then
    pid=$(cat "$1")
    kill "$pid"
    while lives "$pid"; do sleep 0.2; done
    echo "$2 stopped"
  fi
  rm -f "$1"
}

stop() {
  # A worker lets its tasks end first; it has its own limit for that.
  end "$worker_pid" worker
  if taskflow server status > /dev/null 2>&1; then taskflow server stop; else echo 'no server runs'; fi
  end "$redis_pid" Redis
}

case "${1:-}" in
  '') choose_store; start ;;
  --stop) choose_store; stop ;;
  --status)
    choose_store
    taskflow server status || true
    for process in worker redis; do
      if runs "$PWD/$state/$process.pid"; then echo "$process runs (process $(cat "$state/$process.pid"))"; else echo "no $process runs"; fi
    done
    ;;
  *) sed -n '2,4s/^# *//p' "$0"; exit 2 ;;
esac
