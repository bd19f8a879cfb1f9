# shellcheck shell=bash
# What all commands in script/ share: where the repository is, how to show progress, and how to stop everything that was
# started. Source it first; it sets strict mode for the command that sources it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034  # read by the commands that source this file
readonly root

step() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# fail MESSAGE [LINE...]: says what is wrong and what to do about it, and ends the command.
fail() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# Clean-up: functions named with at_exit run in reverse order when the command ends for any reason, even by a signal.
cleanups=()
at_exit() { cleanups=("$1" "${cleanups[@]}"); }
run_cleanups() {
  local status=$? cleanup
  trap - EXIT
  trap '' INT TERM HUP
  [[ -z $running ]] || stop_process "$running"
  for cleanup in "${cleanups[@]}"; do "$cleanup" || true; done
  exit "$status"
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# The long command that runs now, so that a signal to this script ends it too.
running=

# stop_process PID [SECONDS]: sends SIGTERM, waits, then sends SIGKILL. Returns when the process has ended.
stop_process() {
  local pid=$1 left=$((${2:-10} * 10))
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null && ((left-- > 0)); do sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# supervised COMMAND...: runs it in the background and waits, because bash handles a signal at once only while it waits.
supervised() {
  local status=0
  "$@" &
  running=$!
  wait "$running" || status=$?
  running=
  return "$status"
}

# Set by a command that prints nothing about success.
quiet=

# with_progress LOG COMMAND...: output goes to LOG; its newest line is shown every few seconds, its end on failure, without
# the lines in which a build counts what it compiles.
with_progress() {
  local log=$1 status=0 began=$SECONDS shown=$SECONDS
  shift
  "$@" >"$log" 2>&1 </dev/null &
  running=$!
  while [[ -z $quiet ]] && kill -0 "$running" 2>/dev/null; do
    sleep 0.3
    if ((SECONDS - shown >= 10)); then
      shown=$SECONDS
      note "$(printf '%4d s  %s' $((SECONDS - began)) "$(tail -n 1 "$log" | tr '\r' '\n' | tail -n 1 | cut -c 1-100)")"
    fi
  done
  wait "$running" || status=$?
  running=
  if ((status != 0)); then
    printf '\n--- the end of %s ---\n' "$log" >&2
    { grep -avE '^\[[0-9]+/[0-9]+\] ' "$log" || true; } | tail -n 300 >&2
  elif [[ -z $quiet ]]; then
    note "done in $((SECONDS - began)) s"
  fi
  return "$status"
}

# die_with_parent SIGNAL: prints the prefix that makes a command end when the process that started it ends, kill -9 included.
die_with_parent() { printf 'setpriv\n--pdeathsig\n%s\n--\n' "$1"; }

# A folder for the sockets and logs of this run: a short path (a socket path has at most 107 bytes), closed to other users.
runtime=
make_runtime_directory() {
  [[ -z $runtime ]] || return 0
  runtime=$(mktemp -d /tmp/lk.XXXXXX)
  # As root, user postgres must be able to pass through to its own folder inside; it cannot list this one.
  if ((EUID == 0)); then chmod 0711 "$runtime"; fi
  at_exit remove_runtime_directory
}
remove_runtime_directory() {
  if [[ -n ${KEEP_LOGS:-} ]]; then note "kept: $runtime"; else rm -rf "$runtime"; fi
}

# The folder in which script/server keeps this clone's data between runs. LICENSEKIT_STATE_DIR overrides it.
state_directory() {
  local clone
  clone=$(printf '%s' "$root" | sha256sum | cut -c 1-12)
  if [[ -n ${LICENSEKIT_STATE_DIR:-} ]]; then
    printf '%s' "$LICENSEKIT_STATE_DIR"
  elif ((EUID == 0)); then
    # Not under root's home, which is closed to user postgres.
    printf '/var/lib/licensekit-dev/%s' "$clone"
  else
    printf '%s/licensekit-dev/%s' "${XDG_STATE_HOME:-$HOME/.local/state}" "$clone"
  fi
}
