#!/bin/sh
# Installs what weft needs from Debian's or Ubuntu's packages; does nothing where all is there.
#   scripts/install-dependencies.sh          to build, test and draw diagrams
#   scripts/install-dependencies.sh --full   also what scripts/test.sh --full needs
#   scripts/install-dependencies.sh --ci     also what the checks of the source in .ci/run need
set -eu

packages="build-essential meson ninja-build pkg-config libsleef-dev libxxhash-dev zlib1g-dev
  libjansson-dev libgraphviz-dev graphviz libcriterion-dev"
case "${1:-}" in
'') ;;
--full) packages="$packages valgrind" ;;
--ci) packages="$packages clang-format-14 clang-tidy-14 libomp-14-dev" ;;
*)
  echo "usage: $0 [--full | --ci]" >&2
  exit 2
  ;;
esac

if ! command -v apt-get >/dev/null 2>&1; then
  echo "This is not Debian or Ubuntu: please install the equivalents of" >&2
  echo "$packages" >&2
  exit 0
fi

missing=
for package in $packages; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  case "$state" in
  installed*) ;; # once for each architecture
  *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Neither root nor sudo: please have these packages installed:$missing" >&2
    exit 1
  fi
  as_root=sudo
fi

echo "Installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing
} >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "apt-get could not install:$missing" >&2
  exit 1
fi
