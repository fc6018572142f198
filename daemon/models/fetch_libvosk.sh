#!/bin/sh
# Puts libvosk.so where the ear's build looks for it (target/native, or the folder given).
#
# The library comes from the wheel of the PyPI package `vosk`, through pip and whatever index this machine's pip is set to. What
# arrives is checked against the pinned SHA-256 of the wheel before a byte of it is used, so the index need not be trusted.
#
#   daemon/models/fetch_libvosk.sh [--arch x86_64|aarch64] [FOLDER]
set -eu

version=0.3.45
arch=$(uname -m)
if [ "${1:-}" = --arch ]; then
    arch=$2
    shift 2
fi
folder=${1:-$(cd "$(dirname "$0")/../.." && pwd)/target/native}

case $arch in
x86_64)
    platform=manylinux2010_x86_64
    wheel_sha256=25e025093c4399d7278f543568ed8cc5460ac3a4bf48c23673ace1e25d26619f
    ;;
aarch64 | arm64)
    platform=manylinux2014_aarch64
    wheel_sha256=54efb47dd890e544e9e20f0316413acec7f8680d04ec095c6140ab4e70262704
    ;;
*)
    echo "libvosk $version is not published for $arch: x86_64 and aarch64 are" >&2
    exit 1
    ;;
esac

stamp="$folder/libvosk.wheel.sha256"
if [ -s "$folder/libvosk.so" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wheel_sha256" ]; then
    exit 0
fi

python=${PYTHON:-python3}
if ! "$python" -m pip --version >/dev/null 2>&1; then
    echo "libvosk comes by pip, which $python does not have: apt-get install python3-pip" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetching libvosk $version for $arch (PyPI package vosk)"
if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform "$platform" --python-version 3 --dest "$work" "vosk==$version"; then
    echo "pip could not fetch vosk==$version; with the wheel at hand: PIP_FIND_LINKS=FOLDER_OF_THE_WHEEL PIP_NO_INDEX=1 $0" >&2
    exit 1
fi
wheel=$(ls "$work"/vosk-*.whl)
found=$(sha256sum "$wheel" | cut -d' ' -f1)
if [ "$found" != "$wheel_sha256" ]; then
    echo "$(basename "$wheel") has SHA-256 $found, expected $wheel_sha256: not used" >&2
    exit 1
fi
mkdir -p "$folder"
# A rename puts the library in place whole, or not at all.
"$python" - "$wheel" "$folder" <<'PYTHON'
import os, shutil, sys, zipfile
wheel, folder = sys.argv[1:]
unfinished = os.path.join(folder, "libvosk.so.unfinished")
with zipfile.ZipFile(wheel) as archive, archive.open("vosk/libvosk.so") as source, open(unfinished, "wb") as target:
    shutil.copyfileobj(source, target)
os.chmod(unfinished, 0o755)
os.replace(unfinished, os.path.join(folder, "libvosk.so"))
PYTHON
printf '%s' "$wheel_sha256" >"$stamp"
echo "libvosk $version is in $folder"
