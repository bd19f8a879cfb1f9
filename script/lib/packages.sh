# shellcheck shell=bash
# Checks that the system has what the build and the tests need.

postgres_bin() {
  local version
  for version in 15 16 17 18; do
    if [[ -x /usr/lib/postgresql/$version/bin/postgres ]]; then
      printf '/usr/lib/postgresql/%s/bin' "$version"
      return
    fi
  done
  if command -v postgres >/dev/null && command -v initdb >/dev/null; then dirname "$(command -v postgres)"; fi
}

# A Python that can make virtual environments, 3.11 or newer (what the official LicenseKit client asks for).
usable_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

missing_packages() {
  pkg-config --version >/dev/null 2>&1 || echo pkg-config
  pkg-config --exists libpq 2>/dev/null || echo libpq-dev
  pkg-config --exists hiredis 2>/dev/null || echo libhiredis-dev
  pkg-config --exists libcurl 2>/dev/null || echo libcurl4-openssl-dev
  pkg-config --exists libcrypto libssl 2>/dev/null || echo libssl-dev
  compgen -G '/usr/lib*/*/libcairo.so.2' >/dev/null || compgen -G '/usr/lib*/libcairo.so.2' >/dev/null || echo libcairo2
  [[ -f /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ]] || echo fonts-dejavu-core
  [[ -f /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf ]] || echo fonts-droid-fallback
  command -v pdftotext >/dev/null || echo poppler-utils
  if [[ -z ${DATABASE_URL:-} ]]; then [[ -n $(postgres_bin) ]] || echo postgresql; fi
  command -v psql >/dev/null || echo postgresql-client
  if [[ -z ${REDIS_URL:-} ]]; then command -v redis-server >/dev/null || echo redis-server; fi
  command -v redis-cli >/dev/null || echo redis-tools
  command -v curl >/dev/null || echo curl
  [[ -n $(usable_python) ]] || printf '%s\n' python3 python3-venv
}

# The tools that check the Dashboard extension.
missing_extension_packages() {
  command -v node >/dev/null || echo nodejs
  command -v tsc >/dev/null || echo node-typescript
  command -v esbuild >/dev/null || echo esbuild
  [[ -d /usr/share/nodejs/react ]] || echo node-react
  [[ -d /usr/share/nodejs/react-dom ]] || echo node-react-dom
  [[ -d /usr/share/nodejs/jsdom ]] || echo node-jsdom
}

# Poolers that the product must work with, or refuse, between itself and its database.
missing_pooler_packages() {
  [[ -x /usr/sbin/pgbouncer ]] || command -v pgbouncer >/dev/null || echo pgbouncer
}

# A browser that tests can drive, and a font for its pictures.
missing_browser_packages() {
  command -v chromium >/dev/null || echo chromium
  command -v chromedriver >/dev/null || echo chromium-driver
  [[ -d /usr/share/fonts/opentype/inter ]] || echo fonts-inter
}

# need_packages [FUNCTION...]: installs what is missing, including what these functions find missing.
need_packages() {
  local missing
  mapfile -t missing < <(missing_packages; for more in "$@"; do "$more"; done)
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    fail "this system lacks packages that Debian calls: ${missing[*]}" "Install their equivalents and run this again."
  fi
  if ((EUID != 0)); then
    fail "these packages are missing: ${missing[*]}" "Install them, then run this again:" \
      "" "  sudo apt-get update && sudo apt-get install -y ${missing[*]}"
  fi
  step "Installing packages: ${missing[*]}"
  make_runtime_directory
  export DEBIAN_FRONTEND=noninteractive
  with_progress "$runtime/apt-update.log" apt-get update
  with_progress "$runtime/apt-install.log" \
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
  mapfile -t missing < <(missing_packages; for more in "$@"; do "$more"; done)
  ((${#missing[@]} == 0)) || fail "still missing after the installation: ${missing[*]}"
}

need_swift() {
  local version folder
  if ! command -v swift >/dev/null; then
    for folder in /opt/swift/usr/bin /usr/local/swift/usr/bin "$HOME/.local/share/swiftly/bin"; do
      if [[ -x $folder/swift ]]; then PATH=$folder:$PATH; fi
    done
  fi
  command -v swift >/dev/null || fail "no Swift toolchain found" \
    "Install Swift 6.3 (swift.org, Install, Linux) and put its 'swift' on the PATH."
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
  if [[ ! $version =~ ^([0-9]+)\.([0-9]+)$ ]] || ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] < 601)); then
    fail "Swift 6.1 or newer is needed; '$(command -v swift)' is version ${version:-unknown}" \
      "Install Swift 6.3 (swift.org, Install, Linux) and put it first on the PATH."
  fi
}
