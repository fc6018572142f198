#!/usr/bin/env bash
# Puts llama-server into target/llama beside the system, not into it, and builds the scripted model there. Says what it does, and why
# it can't where it can't.
#
# llama.cpp is packaged in Debian sid alone. Its packages are taken apart into a folder together with the libc they were built for, and
# the server is started by that libc's own loader; nothing of the system is changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$PWD/target/llama
root=$dir/root
say() { printf 'llama: %s\n' "$*"; }
mkdir -p "$dir"

# Debian's mirror and key as this machine is set up to use them.
mirror() {
  find /etc/apt -type f \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
    sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]+\/debian)\/?( .*)?$/\3/p' | sed -n 1p
}

fetch() {
  local uri apt=$dir/apt
  uri=$(mirror)
  [ -n "$uri" ] || { say "no Debian mirror in /etc/apt/sources.list*: install llama.cpp by hand, so that llama-server is in the PATH"; exit 1; }
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$dir/debs"
  touch "$apt/status"
  printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$uri" >"$apt/sid.sources"
  local options=(-qq -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
    -o "Dir::Etc::sourcelist=$apt/sid.sources" -o Dir::Etc::sourceparts=/dev/null -o "APT::Sandbox::User=$(id -un)")
  local packages=(llama.cpp-tools libllama0 libggml0 libc6 libgcc-s1 libgomp1 libstdc++6 libssl3t64 libzstd1 zlib1g)
  say "fetching from Debian sid into $dir: ${packages[*]}"
  apt-get "${options[@]}" update
  (cd "$dir/debs" && rm -f ./*.deb && apt-get "${options[@]}" download "${packages[@]}")
  rm -rf "$root"
  for package in "$dir"/debs/*.deb; do dpkg-deb -x "$package" "$root"; done
}

launcher() {
  local libs=$root/usr/lib/x86_64-linux-gnu
  # It looks for its kernels in the working directory.
  cat >"$dir/llama-server" <<END
#!/bin/sh
cd "$libs/ggml/backends0" && exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libs:$libs/llama" "$root/usr/bin/llama-server" "\$@"
END
  chmod +x "$dir/llama-server"
}

if command -v llama-server >/dev/null; then
  say "the system's llama-server is used"
  ln -sf "$(command -v llama-server)" "$dir/llama-server"
elif [ ! -x "$dir/llama-server" ]; then
  [ "$(dpkg --print-architecture)" = amd64 ] || { say "only amd64 is provided for: install llama.cpp by hand"; exit 1; }
  fetch
  launcher
fi
"$dir/llama-server" --version 2>&1 | head -n1 | sed 's/^/llama: llama-server /'

if [ ! -x "$dir/venv/bin/python" ]; then
  say "installing with pip into $dir/venv: gguf 0.19.0"
  python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0
fi
# The first is asked by the tests, the others play in `make demo MIND=llama`.
model() {
  local name=$1
  shift
  "$dir/venv/bin/python" tests/llama/scripted_model.py "$dir/$name.gguf.new" "$@"
  mv "$dir/$name.gguf.new" "$dir/$name.gguf"
}
model scripted
model start --tool guest_start --args '{"vmid": 112}' --thought "Somebody wants it awake. I will ask." --answer "It is asked, sir."
model stop --tool guest_stop --args '{"vmid": 112}' --thought "This one is grave. I will ask first." --answer "It is asked, sir."
