#!/usr/bin/env bash
# Bundles for trying the views outside the Dashboard. "stripe apps upload" makes the bundle for Stripe by itself.
#
#   ./build.sh harness    build/harness: the page that shows each view in a sandboxed frame
#   ./build.sh test       build/test: the tests, which are then run
#
# Needs esbuild, React and, for the tests, jsdom: node_modules, or Debian's esbuild, node-react, node-react-dom, node-jsdom.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}

bundle() {
  esbuild --bundle --log-level=warning --jsx=transform --define:process.env.NODE_ENV='"development"' "$@"
}

case ${1:-} in
  harness)
    bundle harness/frame.tsx --outfile=build/harness/frame.js --format=iife --target=es2020 \
      --alias:@stripe/ui-extension-sdk/ui=./harness/sdk/ui.tsx --alias:@stripe/ui-extension-sdk/utils=./harness/sdk/utils.ts
    cp harness/index.html harness/frame.html harness/harness.css build/harness/
    ;;
  test)
    rm -rf build/test
    bundle test/*.test.ts test/*.test.tsx --outdir=build/test --format=cjs --platform=node --target=node18 \
      --external:jsdom --external:react --external:react-dom --alias:@stripe/ui-extension-sdk/ui=./harness/sdk/ui.tsx \
      --alias:@stripe/ui-extension-sdk/utils=./test/support/utils.ts
    exec timeout 120 node --test --test-reporter=spec build/test
    ;;
  *)
    sed -n '2,/^# Needs/s/^# \{0,1\}//p' "$0"
    exit 1
    ;;
esac
