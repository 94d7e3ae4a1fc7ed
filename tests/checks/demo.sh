#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh SOURCE FOLDER: scripts/demo works in a fresh copy of the project, first without words and then, already built,
# with words.
set -eu
source=$1 copy=$2/copy out=$2/out
rm -rf "$2"
mkdir -p "$copy/examples" "$out"
cp -r "$source"/{CMakeLists.txt,CMakePresets.json,cmake,include,scripts,src} "$copy"
cp -r "$source"/examples/digits "$copy/examples"

# whole FILE BYTES: the file exists, begins like a PNG or a safetensors file, and has at least that many bytes.
whole() {
    [ "$(stat -c %s "$1")" -ge "$2" ] || return
    case "$1" in
        *.png) [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] ;;
        *) [ "$(head -c 9 "$1" | tail -c 1)" = "{" ] ;;
    esac
}
expect() { "$@" || { echo "demo.sh: failed: $*"; exit 1; }; }

# The program's parts are compiled as the tests' own program is: ccache, where it is, finds them if paths are relative to the copy.
export CCACHE_BASEDIR=$copy
cd /
text=$("$copy/scripts/demo" --out "$out/all")
echo "$text"
for name in digits interpolation; do
    expect whole "$out/all/$name.png" 1000
    expect whole "$out/all/$name.safetensors" $((8 * 7 * 64 * 4)) # samples, frames or prompts, floats
done
expect grep -q "nearest to the digit that the prompt names: 64 of 64" <<<"$text"

cd "$out"
text=$("$copy/scripts/demo" --out=words "a bold handwritten seven leaning left")
echo "$text"
expect whole words/digits.png 200
expect whole words/digits.safetensors $((8 * 64 * 4))
expect test ! -e words/interpolation.png
expect grep -q "nearest to the digit that the prompt names: 8 of 8" <<<"$text"
expect test "$(grep -c "Building CXX" <<<"$text")" -eq 0
rm -rf "$2"
