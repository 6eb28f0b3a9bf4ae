# shellcheck shell=bash
# A Redis and a PostgreSQL of one run's own: on free ports of 127.0.0.1, everything they write under $run, which the
# caller makes. Sets redis_url and postgres_url.
# shellcheck disable=SC2034,SC2154  # the script that reads this file makes the one and uses the others

# Ends a process, or with a minus a process group: asks, waits up to ten seconds, then insists.
end() {
  kill -TERM -- "$1" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 -- "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "$1" 2>/dev/null || true
}

# A port that the kernel says is free. Another process can take it before it is used, so callers try again.
free_port() {
  node -e '
    const server = require("net").createServer().listen(0, "127.0.0.1", () => {
      console.log(server.address().port);
      server.close();
    });'
}

redis_pid=

start_redis() {
  local port
  for _ in {1..5}; do
    port=$(free_port)
    # A group of its own, so that Ctrl-C reaches this script alone, which then ends things in order.
    set -m
    "$(find_redis_server)" --port "$port" --bind 127.0.0.1 --dir "$run" --save '' --appendonly no --daemonize no \
      >"$run/redis.log" 2>&1 </dev/null &
    redis_pid=$!
    set +m
    if redis_is_ready "$port"; then
      redis_url=redis://127.0.0.1:$port
      return
    fi
    end "$redis_pid"
  done
  fail "Redis did not start" "$run/redis.log"
}

# Ready is when the process that we started answers: on a port lost to another Redis, that one would answer too.
redis_is_ready() {
  local about
  for _ in {1..100}; do
    kill -0 "$redis_pid" 2>/dev/null || return 1
    about=$(redis-cli -h 127.0.0.1 -p "$1" info server 2>/dev/null || true)
    if [[ $about == *"process_id:$redis_pid"$'\r'* ]]; then return; fi
    sleep 0.1
  done
  return 1
}

start_postgres() {
  local port
  mkdir "$run/postgres"
  if [ "$(id -u)" = 0 ]; then chown "$(postgres_owner)": "$run/postgres"; fi
  as_postgres_owner initdb -D "$run/postgres/data" -U tributary --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$run/initdb.log" 2>&1 || fail "initdb failed" "$run/initdb.log"
  for _ in {1..5}; do
    port=$(free_port)
    if as_postgres_owner pg_ctl -D "$run/postgres/data" -l "$run/postgres/log" -o "$(postgres_options "$port")" \
      -w -t 60 start >/dev/null 2>&1; then
      postgres_url=postgres://tributary@127.0.0.1:$port/postgres
      return
    fi
  done
  fail "PostgreSQL did not start" "$run/postgres/log"
}

# No Unix socket: Debian's place for it belongs to other clusters, and tests connect over TCP. Nothing here outlives
# the run, so nothing is forced to disk. Many connections: each test has a database and a pool of its own.
postgres_options() {
  echo "-p $1 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300" \
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
}

stop_postgres() {
  if [ -f "$run/postgres/data/postmaster.pid" ]; then
    as_postgres_owner pg_ctl -D "$run/postgres/data" -m fast -w -t 20 stop >/dev/null 2>&1 || true
  fi
}

# PostgreSQL refuses to run as root.
as_postgres_owner() {
  local program=$1 owner
  shift
  if [ "$(id -u)" != 0 ]; then
    "$(find_postgres_bin)/$program" "$@"
  else
    owner=$(postgres_owner)
    (cd "$run/postgres" && setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups \
      "$(find_postgres_bin)/$program" "$@")
  fi
}

postgres_owner() {
  if id -u postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

fail() {
  echo "$1" >&2
  tail -n 20 "$2" >&2 || true
  exit 1
}
