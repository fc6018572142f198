#!/usr/bin/env bash
# Makes satellite/wake/hey-jarvis.rpw: "hey jarvis" as 16 espeak-ng voices say it, none of which is kept for measuring (README.md).
# Needs espeak-ng. Run it from anywhere after changing the voices; the result is checked in and embedded.
set -euo pipefail
cd "$(dirname "$0")/../.."

phrase="hey jarvis"
out="${1:-satellite/wake/hey-jarvis.rpw}"
# voice, pitch (0 to 99). All speak at the same speed: the spotter's window is as long as the longest take, so slow takes make it late.
takes="
en-gb+m1 45
en-gb+m3 35
en-gb+f1 55
en-gb+f4 60
en-gb-scotland+m2 45
en-gb-scotland+f2 55
en-gb-x-rp+m5 40
en-gb-x-rp+f5 50
en-us+m1 50
en-us+m4 40
en-us+f1 55
en-us+f4 60
en-029+m2 45
en-gb-x-gbclan+m6 40
en-gb-x-gbcwmd+f3 55
en-us-nyc+m3 45
"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
n=0
while read -r voice pitch; do
    [ -n "$voice" ] || continue
    n=$((n + 1))
    espeak-ng -v "$voice" -p "$pitch" -w "$(printf '%s/%02d.wav' "$work" "$n")" "$phrase"
done <<<"$takes"

cargo run --quiet -p jarvis-satellite -- learn --phrase "$phrase" --out "$out" "$work"/*.wav
