#!/bin/sh
# Installs what is missing, builds weft, trains the three example networks for a few minutes, and draws
# them:  scripts/demo.sh [DIRECTORY OF FASHION-MNIST]
# Without a directory the networks learn from drawn images. The diagrams go to out/.
set -eu
[ $# -eq 0 ] || data=$(realpath "$1")
cd "$(dirname "$0")/.."

scripts/install-dependencies.sh
[ -f build/build.ninja ] || meson setup build >/dev/null
ninja -C build

mkdir -p out
train() {
  echo
  echo "==== $*"
  "$@" --json
}
train build/examples/resnet --epochs 3 --dot out/resnet.svg ${data:+--data "$data"}
train build/examples/inception --epochs 3 --dot out/inception.svg ${data:+--data "$data"}
train build/examples/unet --epochs 8 --dot out/unet.svg
echo
echo "The networks are drawn in out/: $(ls out | tr '\n' ' ')"
