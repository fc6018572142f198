#!/bin/sh
# Trains the acoustic model from nothing, in about three hours of one core, and puts it into a new folder. No part of `make`: the
# network is committed. Needs: apt-get install libespeak-ng1 espeak-ng-data python3-torch python3-numpy python3-scipy python3-venv
# wamerican-small, and from PyPI kaldi-native-fbank in a venv with --system-site-packages.
#
#   cargo run -p jarvis-core --example requests -- CORPUS
#   PYTHON=VENV/bin/python daemon/models/train/run.sh WORK CORPUS
set -eu
cd "$(dirname "$0")/.."
work=$1 corpus=$2
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
"$python" -m train.shards held-out 777 0 1 "$work/held-out" --utterances 200
# 14 hours of speech as it may be, then as many of worse.
"$python" -m train.shards easy 1 0 31 "$work/easy"
"$python" -m train.fit "$work/easy" "$work/first.npz" --held-out "$work/held-out"
"$python" -m train.shards hard 2 100 30 "$work/hard"
"$python" -m train.fit "$work/hard" "$work/second.npz" --from "$work/first.npz" --rate 1.2e-3 --held-out "$work/held-out"
# And 30 hours of requests, half of them in voices that nobody made. These stages alone take 25 minutes.
"$python" -m train.variants "$work/espeak"
ESPEAK_DATA_PATH="$work/espeak" "$python" -m train.shards invented 9 0 36 "$work/invented" --corpus "$corpus"
"$python" -m train.fit "$work/invented" "$work/third.npz" --from "$work/second.npz" --rate 8e-4 --passes 3
"$python" -m train.variants "$work/espeak-more" --seed 43
ESPEAK_DATA_PATH="$work/espeak-more" "$python" -m train.shards invented 10 0 32 "$work/more" --corpus "$corpus"
"$python" -m train.fit "$work/more" "$work/fourth.npz" --from "$work/third.npz" --rate 6e-4 --passes 1
# And 32 hours, three quarters of them in 350 further voices. To say them took 13 minutes of one core.
for seed in 44 45 46 47 48; do
  "$python" -m train.variants "$work/espeak-$seed" --seed "$seed"
  for number in $(seq $((seed - 44)) 5 69); do
    ESPEAK_DATA_PATH="$work/espeak-$seed" "$python" -m train.shards invented $((seed + 100)) "$number" 1 "$work/many" --corpus "$corpus" --share 0.75
  done
done
"$python" -m train.fit "$work/many" "$work/network.npz" --from "$work/fourth.npz" --rate 8e-4 --passes 3
"$python" -m train.phone_bigrams "$work/model/phone_bigrams.tsv"
"$python" -m train.export "$work/network.npz" "$work/model"
echo "$work/model has the network; for its words and graph put it over en-commands and run make words"
