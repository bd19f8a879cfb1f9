# shellcheck shell=bash
# Builds with progress, and fails if a source of this repository compiles with a warning.

# build LOG ARGUMENTS...: swift build without the index, which only editors read; fails if a file of this repository has a
# warning.
build() {
  local log=$1
  shift
  with_progress "$log" swift build --disable-index-store "$@" || fail "swift build $* failed"
  local warnings
  warnings=$(grep -E "^($root/)?(Sources|Tests|Package\.swift)[^ ]*: warning:" "$log" | sort -u || true)
  if [[ -n $warnings ]]; then
    printf '%s\n' "$warnings" >&2
    fail "the build has warnings in sources of this repository"
  fi
}
