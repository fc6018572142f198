#!/bin/sh
# Trains the acoustic model from nothing, in about two hours of one core, and puts it into a new folder. No part of `make`: the network
# is committed. Needs: apt-get install libespeak-ng1 espeak-ng-data python3-torch python3-numpy python3-scipy python3-venv
# wamerican-small, and from PyPI kaldi-native-fbank in a venv with --system-site-packages.
#
#   PYTHON=VENV/bin/python daemon/models/train/run.sh WORK
set -eu
cd "$(dirname "$0")/.."
work=$1
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
"$python" -m train.shards held-out 777 0 1 "$work/held-out" --utterances 200
# 14 hours of speech as it may be, then as many of worse.
"$python" -m train.shards easy 1 0 31 "$work/easy"
"$python" -m train.fit "$work/easy" "$work/first.npz" --held-out "$work/held-out"
"$python" -m train.shards hard 2 100 30 "$work/hard"
"$python" -m train.fit "$work/hard" "$work/network.npz" --from "$work/first.npz" --rate 1.2e-3 --held-out "$work/held-out"
"$python" -m train.phone_bigrams "$work/model/phone_bigrams.tsv"
"$python" -m train.export "$work/network.npz" "$work/model"
echo "$work/model has the network; for its words and graph put it over en-commands and run make words"
