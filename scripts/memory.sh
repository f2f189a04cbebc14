#!/bin/sh
# Memory against time for every network of `weft models`, as a table in Markdown: a training step's arena where
# everything is kept, and under ever smaller limits, with the time that these are predicted to add.
#   usage: memory.sh [WEFT [OPTIONS OF weft curve]]        (--runs N also measures, and prints what it measured)
set -eu
weft=${1:-build/src/cli/weft}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- --runs 0
echo "| network | all kept, MB | no limit | 1/2 | 1/3 | 1/4 | the least |"
echo "|---|---|---|---|---|---|---|"
for model in $("$weft" models | awk 'NR > 1 { print $1 }'); do
  "$weft" curve "$model" "$@" | awk -v model="$model" '
    # MB, and the percentage that was measured, if there is one, or predicted.
    function cell(share) { return sprintf("%.0f MB, %s", $(at), share) }
    NR > 2 {
      at = $2 == "of" ? 4 : 3
      share = NF > at + 4 ? $(at + 5) : $(at + 2)
      if ($1 == "all") all = $(at)
      if ($1 == "no") none = cell(share)
      if ($1 == "1/2") half = cell(share)
      if ($1 == "1/3") third = cell(share)
      if ($1 == "1/4") fourth = cell(share)
      least = cell(share)
    }
    END {
      printf "| %s | %.0f | %s | %s | %s | %s | %s |\n", model, all, none, half, third, fourth, least
    }'
done
