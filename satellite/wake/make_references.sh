#!/usr/bin/env bash
# Makes satellite/wake/hey-jarvis.rpw: "hey jarvis" as 16 espeak-ng voices say it, none of which is kept for measuring (README.md).
# Needs espeak-ng. Run it from anywhere after changing the voices; the result is checked in and embedded.
set -euo pipefail
cd "$(dirname "$0")/../.."

phrase="hey jarvis"
out="${1:-satellite/wake/hey-jarvis.rpw}"
# voice, speed (words a minute), pitch
takes="
en-gb+m1 165 45
en-gb+m3 150 35
en-gb+f1 170 55
en-gb+f4 155 60
en-gb-scotland+m2 160 45
en-gb-scotland+f2 170 55
en-gb-x-rp+m5 150 40
en-gb-x-rp+f5 165 50
en-us+m1 160 50
en-us+m4 175 40
en-us+f1 165 55
en-us+f4 150 60
en-029+m2 160 45
en-gb-x-gbclan+m6 165 40
en-gb-x-gbcwmd+f3 160 55
en-us-nyc+m3 165 45
"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
n=0
while read -r voice speed pitch; do
    [ -n "$voice" ] || continue
    n=$((n + 1))
    espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$(printf '%s/%02d.wav' "$work" "$n")" "$phrase"
done <<<"$takes"

cargo run --quiet -p jarvis-satellite -- learn --phrase "$phrase" --out "$out" "$work"/*.wav
