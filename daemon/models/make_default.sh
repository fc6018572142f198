#!/bin/sh
# Makes the words and the graph of the default model anew, from the intent files and the names of the simulated cluster. To be run (and
# its result committed) when the intent files learn new words. Needs: apt-get install libespeak-ng1 libfst-tools libfst22-plugins-base
#
#   daemon/models/make_default.sh [--relearn]
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for what in sentences natural words; do
    cargo run --quiet -p jarvis-core --example requests -- "$what" daemon/models/default_names.toml >"$work/$what.txt"
done
cd daemon/models
python3 -m words --base en-commands --sentences "$work/sentences.txt" --natural "$work/natural.txt" --vocabulary "$work/words.txt" --out en-commands "$@"
