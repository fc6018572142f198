#!/usr/bin/env bash
# Makes satellite/wake/away.wav, what a satellite says by itself when somebody speaks to it and the daemon is away.
# Needs espeak-ng. The result is checked in and embedded.
set -euo pipefail
cd "$(dirname "$0")"
espeak-ng -v en-gb-x-rp -p 35 -s 165 -a 60 -w away.wav "I am afraid I cannot reach the house."
