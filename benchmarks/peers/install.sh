#!/bin/sh
# Installs what benchmarks/compare measures weft against. Neither the build nor the tests need any of it.
#
#     benchmarks/peers/install.sh [CACHE]
#
# CACHE (default: weft-benchmarks in the user's cache directory) takes ONNX Runtime; give the same
# directory to `benchmarks/compare --cache`.
set -eu
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-benchmarks}
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update
# OpenBLAS on OpenMP shares PyTorch's threads; without any, dense layers run on the reference BLAS.
$sudo apt-get install --yes --no-install-recommends \
  python3-torch python3-torchvision libopenblas0-openmp libdnnl-dev
command -v node >/dev/null || $sudo apt-get install --yes --no-install-recommends nodejs
command -v npm >/dev/null || $sudo apt-get install --yes --no-install-recommends npm
mkdir -p "$cache"
cd "$cache"
# The package holds the library for processors; its install script would fetch others.
npm install --ignore-scripts --no-audit --no-fund onnxruntime-node
