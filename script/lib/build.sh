# shellcheck shell=bash
# Building, with progress, and with the rule that our own sources compile without a warning.

# build LOG ARGUMENTS...: swift build, then refuses warnings in this repository's own files. Without the index that only
# editors read.
build() {
  local log=$1
  shift
  with_progress "$log" swift build --disable-index-store "$@" || fail "swift build $* failed"
  local warnings
  warnings=$(grep -E "^($root/)?(Sources|Tests|Package\.swift)[^ ]*: warning:" "$log" | sort -u || true)
  if [[ -n $warnings ]]; then
    printf '%s\n' "$warnings" >&2
    fail "the build has warnings in our own sources"
  fi
}
