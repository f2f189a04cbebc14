#!/bin/sh
# The tool: every command's output and help, and mistakes on the command line answered.
#   usage: test_cli.sh WEFT OPS [PYTHON]    (OPS: docs/ops.md; without PYTHON, JSON is searched instead of parsed)
set -eu
weft=$1
ops=$2
python=${3:-}
failed=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
  echo "FAIL: $*"
  failed=1
}

# weft_runs ARGUMENTS...: succeeds, and leaves its output in stdout.
weft_runs() {
  "$weft" "$@" >"$out/stdout" 2>"$out/stderr" || fail "$*: status $?, $(cat "$out/stderr")"
  [ ! -s "$out/stderr" ] || fail "$*: says $(cat "$out/stderr")"
}

# contains TEXT: the output has it.
contains() {
  grep -q -e "$1" "$out/stdout" || fail "no \"$1\" in: $(head -c 600 "$out/stdout")"
}

# json EXPRESSION NAME...: the output is one JSON value d with these fields, and the expression holds.
json() {
  expression=$1
  shift
  if [ -n "$python" ]; then
    "$python" -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert $expression, d
assert all(name in (d[0] if isinstance(d, list) else d) for name in sys.argv[2:]), d
" "$out/stdout" "$@" 2>"$out/stderr" || fail "JSON: $(tail -n 1 "$out/stderr")"
  else
    for name; do
      contains "\"$name\": "
    done
  fi
}

# refused STATUS TEXT ARGUMENTS...: ends with the status and a word on the standard error, none elsewhere.
refused() {
  wanted=$1
  text=$2
  shift 2
  status=0
  "$weft" "$@" >"$out/stdout" 2>"$out/stderr" || status=$?
  [ $status = "$wanted" ] || fail "weft $*: status $status, not $wanted"
  [ ! -s "$out/stdout" ] || fail "weft $*: prints $(head -c 200 "$out/stdout")"
  grep -q -e "$text" "$out/stderr" || fail "weft $*: no \"$text\" in $(cat "$out/stderr")"
}

# ---- Help ----
weft_runs --help
for command in models ops bench plan curve profile dot; do
  contains "^  $command "
done
for command in models ops bench plan curve profile dot; do
  weft_runs $command --help
  contains "usage: weft $command"
  contains '--help'
done
weft_runs --version
contains '^weft [0-9]'

# ---- Models ----
weft_runs models
contains 'resnet50  *25557032  *4089.2  *224x224x3'
weft_runs models --json
json 'len(d) >= 13 and {m["name"]: m for m in d}["vgg16"]["parameters"] == 138357544' \
  name parameters multiply_adds input classes per_pixel batch paper

# ---- Ops ----
weft_runs ops
contains '^relu  *activation  *any  *map  *max(x, 0)'
contains '^argmax  *reduction  *none  *no '
[ "$(grep -c . "$out/stdout")" -ge 80 ] || fail "few ops"
weft_runs ops convolution
contains 'shapes  *x \[N,spatial..,Cin\], w .*bias? '
contains 'for example *\[[0-9,]*\], .* -> \['
contains 'source  *Dumoulin'
weft_runs ops --json
json 'len(d) >= 80 and all(o["summary"] and o["shapes"] and o["source"] for o in d)' \
  name family summary min_inputs max_inputs outputs shapes example attributes gradient fuses source
json '{o["name"]: o for o in d}["batch_norm"]["fuses"] == "sums and a map"'
weft_runs ops matmul --json
json 'd["name"] == "matmul" and d["min_inputs"] == 2 and d["max_inputs"] == 3' gradient
weft_runs ops --markdown
diff "$ops" "$out/stdout" >"$out/stderr" ||
  fail "docs/ops.md is not what weft ops --markdown prints: $(head -n 6 "$out/stderr")"
refused 2 'no op "conv"' ops conv

# ---- Bench ----
measured='name mode batch threads median_ms min_ms gflops images_per_second arena_bytes bound_bytes
  state_bytes parameters flops steps peak_resident_bytes'
quick="--seconds 0.001 --threads 1 --json"
# shellcheck disable=SC2086
{
  weft_runs bench lenet --batch 2 --mode train $quick
  json 'd["runs"] == 3 and d["mode"] == "train" and d["batch"] == 2 and d["threads"] == 1' $measured
  json 'd["flops"] == 2 * 3 * 2 * 13883904 and d["parameters"] == 3274634'
  json 'd["arena_bytes"] >= d["bound_bytes"] > 0 and d["state_bytes"] >= 8 * d["parameters"]'
  json 'd["peak_resident_bytes"] >= d["state_bytes"] and 0 < d["min_ms"] <= d["median_ms"]'
  json 'abs(d["gflops"] * d["median_ms"] * 1e6 / d["flops"] - 1) < 0.01'
  weft_runs bench unet --batch=1 --size=16 --mode=infer $quick
  json 'd["size"] == 16 and d["mode"] == "infer" and d["state_bytes"] < 8 * d["parameters"]' $measured
  weft_runs bench resnet20 --runs 2 --seed 0x10 --batch 1 $quick
  json 'd["runs"] == 2'
}
weft_runs bench lenet --batch 1 --runs 1
contains 'GFLOP/s'
contains 'arena'

# ---- Limits ----
weft_runs curve resnet20 --batch 4 --threads 1 --runs 0 --json
json 'd["plans"][0]["plan"] == "all kept" and d["plans"][1]["plan"] == "no limit"' name plans
json 'all(a["arena_bytes"] > b["arena_bytes"] for a, b in zip(d["plans"], d["plans"][1:]))'
json 'd["plans"][-1]["times_smaller"] > 2 and d["plans"][-1]["steps_again"] > 0'
weft_runs curve resnet20 --batch 2 --threads 1 --runs 1
contains 'measured'
contains '1/2 of all .* 2[.][0-9]*x '
weft_runs bench resnet20 --batch 4 --threads 1 --runs 1 --limit 5MB
contains 'again .* steps, predicted'
weft_runs bench resnet20 --batch 4 --threads 1 --runs 1 --limit 5MB --json
json 'd["arena_bytes"] <= 5e6 and d["steps_again"] > 0'
weft_runs bench resnet20 --batch 4 --threads 1 --runs 1 --keep-all --json
json 'd["arena_bytes"] > 5e6 and d["steps_again"] == 0'
weft_runs plan resnet20 --batch 4 --threads 1 --limit 5MB
contains 'steps run again to save memory'
refused 1 'memory_limit of 1000 bytes is too small: [0-9]* bytes are the least' bench resnet20 --limit 1kB

# ---- Plan ----
weft_runs plan unet --batch 1 --size 64 --threads 1 --lines 3 --keep-all
contains '^unet, train, batch 1 of 64x64x1, 1 threads, .* nothing was run'
contains '^ *parameters  *124.15 '
contains '^ *kept activations  *[0-9.]* .*%'
contains '^  total  *[0-9.]*  100.0%'
contains '^the peak, step [0-9]* of [0-9]* (.*): '
contains '% .* kept activations .*convolution'
contains '% .* more$'
weft_runs plan resnet20 --batch 4 --threads 1 --json
json 'd["mode"] == "train" and d["batch"] == 4 and d["plans"] == 1 and d["seconds"] > 0' name size threads \
  instruction_set total_bytes arena_bytes bound_bytes state_bytes feed_bytes program_bytes flops \
  recomputed_flops peak_step bytes most_bytes steps values
json 'sum(d["bytes"].values()) == d["total_bytes"] and d["bytes"]["feeds"] == 4 * (32 * 32 * 3 + 1) * 4'
json 'd["steps"][d["peak_step"]]["live_bytes"] == d["bound_bytes"] == max(s["live_bytes"] for s in d["steps"])'
json 'sum(v["bytes"] for v in d["values"] if v["first"] <= d["peak_step"] <= v["last"]) == d["bound_bytes"]'
json 'max(v["offset"] + v["bytes"] for v in d["values"]) == d["arena_bytes"]'
json '{"forward", "backward", "update"} == {s["stage"] for s in d["steps"]}'
json 'all(v["name"] and v["op"] and v["family"] and v["memory"] in d["bytes"] for v in d["values"])'
weft_runs bench resnet20 --batch 4 --threads 1 --runs 1 --json
bench_arena=$(sed 's/.*"arena_bytes": \([0-9]*\).*/\1/' "$out/stdout")
weft_runs plan resnet20 --batch 4 --threads 1 --json
contains "\"arena_bytes\": $bench_arena,"
weft_runs plan resnet20 --threads 1 --lines 1 --svg "$out/map.svg"
if [ -n "$python" ]; then
  "$python" -c "
import sys, xml.dom.minidom as dom
d = dom.parse(sys.argv[1])
places = [t.parentNode.getElementsByTagName('rect')[0] for t in d.getElementsByTagName('title')]
x, y, w, h = ([float(r.getAttribute(a)) for r in places] for a in ('x', 'y', 'width', 'height'))
right, bottom = (max(a + b for a, b in zip(u, v)) for u, v in ((x, w), (y, h)))
assert len(places) > 60 and len(d.getElementsByTagName('text')) > 30, len(places)
assert abs(min(x) - 62) < 0.2 and abs(min(y) - 66) < 0.2, (min(x), min(y))
assert right < 688.2 and abs(bottom - 466) < 0.2, (right, bottom)" "$out/map.svg" || fail "the map is not as it should be"
fi
grep -q '>resnet20, training, batch 128 of 32x32x3</text>' "$out/map.svg" || fail "no title in the map"
for size in 40MB 40000kB 40e6 '40 MB' 40000000 0.04gb; do
  weft_runs plan resnet20 --threads 1 --json --memory "$size"
  json 'd["limit_bytes"] == 40000000 and d["total_bytes"] <= 40000000 < d["next_batch_bytes"]' plans
done
weft_runs plan resnet20 --threads 1 --memory 32MiB --mode infer
contains '^the largest batch within 33.55 MB is [0-9]*, which takes [0-9.]* MB; the next would take'
contains '^resnet20, infer, batch [0-9]* of'

# ---- Profile ----
weft_runs profile resnet20 --batch 1 --runs 2 --lines 0 --threads 1
contains '^the roof: [0-9.]* GFLOP/s of multiply-adds, [0-9.]* GB/s of memory'
contains ' ms .*GFLOP/s .*GB/s .*roof .*lost'
contains '%  [a-z0-9 ]*  convolution .*conv'
contains '^by op and algorithm'
contains '% *[0-9]*  [a-z0-9 ]*  convolution_filter_gradient$'
contains 'steps, .* at the roof .* lost above it'
weft_runs profile resnet20 --batch 1 --runs 1 --threads 1 --mode infer --json
json 'len(d["steps"]) > 40 and abs(sum(s["share"] for s in d["steps"]) - 1) < 0.01' \
  name mode batch threads instruction_set peak_gflops peak_gigabytes_per_second total_ms roof_ms lost_ms steps ops
json '[s["ms"] for s in d["steps"]] == sorted((s["ms"] for s in d["steps"]), reverse=True)'
json '[o["lost_ms"] for o in d["ops"]] == sorted((o["lost_ms"] for o in d["ops"]), reverse=True)'
json 'd["peak_gflops"] > 0 and d["peak_gigabytes_per_second"] > 0'
json 'all(s["algorithm"] for s in d["steps"] if s["op"].startswith("convolution"))'
json 'any(s["op"] == "convolution + normalize + relu" for s in d["steps"])'
json 'all(abs(sum(o[of] for o in d["ops"]) - d["total_ms" if of == "ms" else of]) < 0.01 for of in ("ms", "roof_ms", "lost_ms"))'
json 'sum(o["steps"] for o in d["ops"]) == len(d["steps"]) and "convolution" in [o["op"] for o in d["ops"]]'
json 'len({(o["op"], o["algorithm"]) for o in d["ops"]}) == len(d["ops"])'
json 'all(abs(max(s["flops"] / d["peak_gflops"], s["bytes"] / d["peak_gigabytes_per_second"]) * 1e-6 - s["roof_ms"]) <= 0.001 * s["roof_ms"] + 1e-5 for s in d["steps"] if s["ms"] > 0)'

# ---- Dot ----
weft_runs dot lenet
contains '^digraph'
contains 'conv2'
! grep -q gradient "$out/stdout" || fail "inference has gradients"
weft_runs dot lenet --mode train
contains gradient
weft_runs dot resnet20 --program --offsets --batch 1
contains '^digraph'
weft_runs dot resnet20 --heat time --batch 1 --collapse 2 --threads 1 -o "$out/picture.dot"
grep -q '^digraph' "$out/picture.dot" || fail "no picture in a file"
weft_runs dot resnet20 --heat lost --batch 1 --threads 1
contains 'us at the roof'

# ---- Wisdom ----
weft_runs bench resnet20 --batch 1 --runs 1 --threads 1 --wisdom "$out/wisdom"
[ ! -e "$out/wisdom" ] || fail "wisdom of what nobody measured"
weft_runs bench resnet20 --batch 1 --runs 1 --threads 1 --mode infer --measure
weft_runs bench resnet20 --batch 1 --runs 1 --threads 1 --mode infer --wisdom "$out/wisdom" --measure
grep -q '^[0-9a-f]\{16\} [0-9]* [a-z]' "$out/wisdom" || fail "no wisdom in $(cat "$out/wisdom")"
cp "$out/wisdom" "$out/before"
weft_runs profile resnet20 --batch 1 --runs 1 --threads 1 --mode infer --wisdom "$out/wisdom" --measure
cmp "$out/wisdom" "$out/before" || fail "measured again"
weft_runs dot resnet20 --program --mode infer --batch 2 --wisdom "$out/wisdom" --measure
[ "$(wc -l <"$out/wisdom")" -gt "$(wc -l <"$out/before")" ] || fail "another batch is another problem"
echo "weft wisdom 1" >"$out/wisdom"
refused 1 'damaged or cut short' bench lenet --wisdom "$out/wisdom"
refused 1 'no/such/place' bench lenet --batch 1 --measure --wisdom /no/such/place

# ---- Mistakes ----
refused 2 'usage: weft COMMAND'
refused 2 'no command "brew"' brew
for command in bench plan curve profile dot; do
  refused 2 'MODEL is missing' $command
  refused 2 'no model "resnet51"' $command resnet51
done
refused 2 'no option "--nonsense"' bench lenet --nonsense
refused 2 'no option "-x"' dot lenet -x
refused 2 'what is "lenet"?' models lenet
refused 2 'what is "unet"?' bench lenet unet
refused 2 'batch takes a whole number' bench lenet --batch two
refused 2 'batch takes a whole number' bench lenet --batch -1
refused 2 'batch takes a whole number' bench lenet --batch 99999999999999999999
refused 2 'batch needs a value' bench lenet --batch
refused 2 'seconds takes a positive number' bench lenet --seconds 0
for size in 0 -3MB 12parsecs MB 1e30GB 0.1; do
  refused 2 'memory takes a size such as 625MB or 2GiB' plan lenet --memory "$size"
done
refused 2 'batch cannot say another' plan lenet --memory 1GB --batch 3
refused 2 'measure has no use' plan lenet --measure
refused 1 'not even a batch of 1 fits into 1.00 MB: it takes' plan lenet --memory 1MB
refused 1 'no/such/place' plan lenet --json --svg /no/such/place.svg
refused 2 'mode takes one of train, infer' bench lenet --mode learn
refused 2 'heat takes one of none, time, bytes, lost' dot lenet --heat pressure
refused 2 'json takes no value' bench lenet --json=yes
refused 2 'seed takes a whole number' bench lenet --seed -3
refused 1 'do not fit' bench unet --size 100
refused 1 'ends in .dot' dot lenet -o "$out/picture.bmp"
refused 1 'no/such/place' dot lenet -o /no/such/place.dot
refused 1 'no/such/place' dot lenet -o /no/such/place.svg
exit $failed
