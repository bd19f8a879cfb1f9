# shellcheck shell=bash
# Private Postgres and Redis for one run, when DATABASE_URL / REDIS_URL name none. They listen on unix sockets in a
# folder closed to others, never on a port, so any number of clones can run at once; they end with this script.

postgres_pid=
redis_pid=

# start_postgres DATA [SETTING=VALUE...]: starts a server on DATA (created if it does not exist) and exports DATABASE_URL.
start_postgres() {
  local data=$1 bin log settings=() setting as=()
  shift
  make_runtime_directory
  bin=$(postgres_bin)
  log=$runtime/postgres.log
  mkdir -m 0700 "$runtime/pg"
  if ((EUID == 0)); then
    # Postgres refuses to run as root.
    id postgres >/dev/null 2>&1 || fail "user 'postgres' does not exist" "The postgresql package makes it; install that."
    chown postgres: "$runtime/pg"
    as=(setpriv --reuid=postgres --regid=postgres --init-groups --no-new-privs --pdeathsig INT --)
  else
    mapfile -t as < <(die_with_parent INT)
  fi

  if [[ ! -s $data/PG_VERSION ]]; then
    rm -rf "$data"
    mkdir -p "$data"
    chmod 0700 "$data"
    if ((EUID == 0)); then chown postgres: "$data"; fi
    (cd "$runtime" && "${as[@]}" "$bin/initdb" -D "$data" --auth=trust --username=postgres --encoding=UTF8 \
      --locale=C.UTF-8 --no-sync >"$log" 2>&1) || fail "initdb failed" "$(tail -n 5 "$log")"
  elif [[ $("$bin/postgres" --version) != *" $(cat "$data/PG_VERSION")"[.\ ]* ]]; then
    fail "the data in $data belong to PostgreSQL $(cat "$data/PG_VERSION"), found is $("$bin/postgres" --version)" \
      "Delete the data and start again with: script/server --reset"
  fi

  for setting in "listen_addresses=" "unix_socket_directories=$runtime/pg" "max_connections=400" "$@"; do
    settings+=(-c "$setting")
  done
  (cd "$runtime" && exec "${as[@]}" "$bin/postgres" -D "$data" "${settings[@]}") >>"$log" 2>&1 </dev/null &
  postgres_pid=$!
  at_exit stop_postgres
  local left=300
  until "$bin/pg_isready" -q -h "$runtime/pg" -U postgres -d postgres; do
    kill -0 "$postgres_pid" 2>/dev/null || fail "Postgres ended at once" "$(tail -n 5 "$log")"
    ((left-- > 0)) || fail "Postgres did not become ready in 30 s" "$(tail -n 5 "$log")"
    sleep 0.1
  done
  export DATABASE_URL="postgresql://postgres@/postgres?host=$runtime/pg"
  note "Postgres: private, on $runtime/pg"
}
stop_postgres() { [[ -z $postgres_pid ]] || { kill -INT "$postgres_pid" 2>/dev/null && wait "$postgres_pid"; } || true; }

# start_redis: starts an empty server and exports REDIS_URL. Redis holds nothing that must outlive a run.
start_redis() {
  local as log left=100
  make_runtime_directory
  log=$runtime/redis.log
  mkdir -m 0700 "$runtime/rd"
  mapfile -t as < <(die_with_parent TERM)
  "${as[@]}" redis-server --port 0 --unixsocket "$runtime/rd/s" --unixsocketperm 700 --dir "$runtime/rd" --save '' \
    --appendonly no --daemonize no >"$log" 2>&1 </dev/null &
  redis_pid=$!
  at_exit stop_redis
  until [[ $(redis-cli -s "$runtime/rd/s" ping 2>/dev/null) == PONG ]]; do
    kill -0 "$redis_pid" 2>/dev/null || fail "Redis ended at once" "$(tail -n 5 "$log")"
    ((left-- > 0)) || fail "Redis did not become ready in 10 s" "$(tail -n 5 "$log")"
    sleep 0.1
  done
  export REDIS_URL="unix://$runtime/rd/s"
  note "Redis: private, on $runtime/rd/s"
}
stop_redis() { [[ -z $redis_pid ]] || stop_process "$redis_pid"; }
