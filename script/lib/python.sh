# shellcheck shell=bash
# The Python environment of the end-to-end tests, in .venv. It is built again only if its requirements change.

# use_python_environment: prints nothing; sets venv_python.
use_python_environment() {
  local requirements=$root/Tests/EndToEnd/requirements.txt folder=$root/.venv python wanted
  python=$(usable_python)
  wanted=$({ "$python" --version; cat "$requirements"; } | sha256sum | cut -c 1-16)
  venv_python=$folder/bin/python
  if [[ -x $venv_python && $(cat "$folder/made-from" 2>/dev/null) == "$wanted" ]]; then return; fi
  step "Installing the Python packages of the end-to-end tests"
  make_runtime_directory
  rm -rf "$folder"
  "$python" -m venv "$folder"
  with_progress "$runtime/pip.log" "$venv_python" -m pip install --disable-pip-version-check --no-input -r "$requirements"
  printf '%s' "$wanted" >"$folder/made-from"
}
