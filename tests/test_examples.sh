#!/bin/sh
# The example networks: a few steps of each, the same bits for one thread and two, every output there,
# and mistakes on the command line answered.  usage: test_examples.sh DIRECTORY-OF-PROGRAMS
set -eu
programs=$1
failed=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
  echo "FAIL: $*"
  failed=1
}

# field NAME < JSON: the value of a field.
field() {
  sed -n "s/.*\"$1\": \"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# short PROGRAM SCORE OPTIONS...: trains briefly, on one thread and on two.
short() {
  program=$1
  score=$2
  shift 2
  for threads in 1 2; do
    "$programs/$program" --epochs 1 --threads $threads --json --dot "$out/$program.dot" "$@" \
      >"$out/$program.$threads" || fail "$program does not run"
    tail -n 1 "$out/$program.$threads" >"$out/json.$threads"
  done
  for name in loss "$score" seconds images_per_second arena_bytes bound_bytes parameters_xxh3; do
    [ -n "$(field "$name" <"$out/json.1")" ] || fail "$program: no $name in $(cat "$out/json.1")"
  done
  for name in loss "$score" parameters_xxh3; do
    [ "$(field $name <"$out/json.1")" = "$(field $name <"$out/json.2")" ] ||
      fail "$program: $name differs between one thread and two"
  done
  grep -q digraph "$out/$program.dot" || fail "$program: no diagram"
}

# The test set of a quarter has a last, smaller batch.
short resnet test_accuracy --samples 48 --batch 8 --depth 8
short inception test_accuracy --samples 24 --batch 8
short unet mean_iou --samples 12 --batch 2 --width 4
short linear test_accuracy --samples 200 --batch 20
short linear mean_iou --samples 12 --batch 4 --window 3

# Weights that decay by more than there is grow beyond all bounds.
"$programs/resnet" --epochs 1 --samples 120 --batch 2 --depth 8 --learning-rate 999999 --json \
  >"$out/stdout" || fail "resnet cannot diverge"
tail -n 1 "$out/stdout" | grep -q '^{"loss": null, "test_loss": null, ' ||
  fail "resnet that diverged: $(tail -n 1 "$out/stdout")"

"$programs/gradcheck" >"$out/stdout" || fail "gradcheck: $(cat "$out/stdout")"
"$programs/custom_op" >"$out/stdout" || fail "custom_op: $(cat "$out/stdout")"

# refused PROGRAM OPTIONS...: exit status 2 and a word on the standard error.
refused() {
  status=0
  "$programs/$@" >"$out/stdout" 2>"$out/stderr" || status=$?
  [ $status = 2 ] || fail "$* ends with status $status, not 2"
  [ -s "$out/stderr" ] || fail "$* says nothing"
}
refused resnet --epochs 0
refused resnet --epochs two
refused resnet --batch 99999999999999
refused resnet --learning-rate -1
refused resnet --seed -3
refused resnet --no-such-option
refused resnet --depth 5
refused resnet stray
refused unet --data

status=0
"$programs/resnet" --data /no/such/place 2>"$out/stderr" || status=$?
[ $status = 1 ] && grep -q /no/such/place "$out/stderr" || fail "a missing directory is not named"
"$programs/resnet" --depth 9 2>"$out/stderr" && fail "ResNet-9 must not be"
grep -q 'depth 9' "$out/stderr" || fail "ResNet-9: $(cat "$out/stderr")"

# first_refuses TEXT: the data set in $out/data is none for the first program.
first_refuses() {
  status=0
  timeout 10 "$programs/first" "$out/data" >"$out/stdout" 2>"$out/stderr" || status=$?
  [ $status = 1 ] && grep -q "$1" "$out/stderr" || fail "first: status $status, $(cat "$out/stderr")"
}
# Three images of a pixel, and labels or masks for them.
mkdir "$out/data"
printf '\000\000\010\003\000\000\000\003\000\000\000\001\000\000\000\001abc' \
  >"$out/data/train-images-idx3-ubyte"
printf '\000\000\010\001\000\000\000\003\000\001\000' >"$out/data/train-labels-idx1-ubyte"
first_refuses 'a batch takes 50 images; there are 3'
mv "$out/data/train-images-idx3-ubyte" "$out/data/train-masks-idx3-ubyte"
printf '\000\000\010\004\000\000\000\003\000\000\000\001\000\000\000\001\000\000\000\001abc' \
  >"$out/data/train-images-idx4-ubyte"
rm "$out/data/train-labels-idx1-ubyte"
first_refuses 'masks, not labels'

"$programs/unet" --help | grep -q -- --width || fail "no help on --width"
exit $failed
