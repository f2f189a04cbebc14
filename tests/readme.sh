#!/bin/sh
# The program of the README, as pasted: it must compile without warnings, and learn.
#   tests/readme.sh README.md INCLUDE_DIRECTORY LIBRARY_DIRECTORY
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1" >"$work/program.c"
${CC:-cc} -std=c17 -Wall -Wextra -Werror "$work/program.c" -I "$2" -L "$3" -lweft -Wl,-rpath,"$3" \
  -o "$work/program"
cd "$work"
./program | tee output
awk '/^step/ { loss = $4; steps++ } END { exit !(steps == 5 && loss < 0.1) }' output
