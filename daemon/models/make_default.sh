#!/bin/sh
# Makes the words and the graph of the default model anew, from the intent files and the names of the simulated cluster: `make words`
# runs it, and its result is committed. Needs: apt-get install libespeak-ng1 espeak-ng-data libfst-tools libfst22-plugins-base
#
#   daemon/models/make_default.sh [--relearn | --check]
set -eu
cd "$(dirname "$0")/../.."
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
"${CARGO:-cargo}" run --quiet -p jarvis-core --example requests -- "$corpus"
cd daemon/models
[ "${1:-}" = --check ] || set -- --out en-commands "$@"
python3 -B -m words --base en-commands --corpus "$corpus" "$@"
