#!/bin/sh
# Installs what is missing, builds weft and passes its tests.
#   scripts/test.sh            the tests, once
#   scripts/test.sh --full     and again on each lower instruction set, with more random cases, without
#                              the optional parts, with sanitizers, and under valgrind
#   scripts/test.sh --werror   warnings of the compiler are errors (with or without --full)
# Build directories are build/, build-plain/, build-sanitize/; the full logs lie in their meson-logs/.
set -eu
cd "$(dirname "$0")/.."

full=
werror=false
for argument; do
  case "$argument" in
  --full) full=--full ;;
  --werror) werror=true ;;
  *)
    echo "usage: $0 [--full] [--werror]" >&2
    exit 2
    ;;
  esac
done

# build DIRECTORY OPTIONS...: sets up, or sets the options of, a build directory, and compiles.
build() {
  directory=$1
  shift
  if [ -f "$directory/build.ninja" ]; then
    meson configure "$directory" -Dwerror=$werror "$@"
  else
    meson setup "$directory" -Dwerror=$werror "$@"
  fi
  ninja -C "$directory"
}

failed_runs=

# run NAME DIRECTORY OPTIONS...: runs the tests, and prints what Criterion says of each test program.
run() {
  name=$1
  directory=$2
  shift 2
  echo "==== tests: $name"
  meson test -C "$directory" --no-rebuild --print-errorlogs --logbase "testlog-$name" "$@" ||
    failed_runs="$failed_runs $name"
  # Under a wrapper, its name is part of the log's.
  log=$(ls "$directory/meson-logs/testlog-$name"*.txt 2>/dev/null) || return 0
  grep -a 'Synthesis:' "$log" || true
  # Criterion's lines read "Tested: 9 | Passing: 8 | Failing: 1 | Crashing: 0".
  sed -n 's/\x1b\[[0-9;]*m//g; s/.*Synthesis: *//p' "$log" | awk -F '[:|]' '
    { tested += $2; passing += $4 }
    END { printf "%s: %d passed, %d failed\n", name, passing, tested - passing }' name="$name"
}

# tests DIRECTORY OPTIONS...: the names of those tests that grep selects.
tests() {
  directory=$1
  shift
  meson test -C "$directory" --list 2>/dev/null | grep -v '^ninja: ' | grep -E "$@"
}

scripts/install-dependencies.sh $full
build build
run default build

if [ -n "$full" ]; then
  # The processor's own instruction set has had its turn.
  own=$(build/src/cli/weft --version)
  for isa in baseline avx2; do
    [ "$(WEFT_ISA=$isa build/src/cli/weft --version)" = "$own" ] || WEFT_ISA=$isa run "$isa" build
  done
  # Those that draw random cases.
  # shellcheck disable=SC2046
  WEFT_TEST_CASES=${WEFT_TEST_CASES:-10} run long build --timeout-multiplier 10 \
    $(tests build '^(ops.*|random_dag|distribute|micro_batch)$')

  # Without what is optional.
  build build-plain --auto-features=disabled -Dtests=enabled -Dexamples=false -Dbenchmarks=false
  run plain build-plain --timeout-multiplier 2

  build build-sanitize -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
  # The README's program is linked as a user would, without the sanitizers' runtime.
  # shellcheck disable=SC2046
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 \
    run sanitize build-sanitize --timeout-multiplier 10 $(tests build-sanitize -v '^readme$')

  # Valgrind knows AVX2 but not AVX-512, runs threads one at a time, and takes some 30 times as long:
  # the checks of all ops, the networks and the programs stay with the sanitizers, and so does what runs
  # the same tests once more. Nor does it belong around compilers.
  # shellcheck disable=SC2046
  WEFT_ISA=avx2 OMP_NUM_THREADS=1 run valgrind build --timeout-multiplier 40 --wrapper \
    'valgrind --quiet --error-exitcode=9 --trace-children=yes --leak-check=full
     --errors-for-leak-kinds=definite' \
    $(tests build -v '^(ops.*|networks|models|parity|examples|cli|readme|kernel_convolution_.*)$')
fi

if [ -n "$failed_runs" ]; then
  echo "FAILED:$failed_runs" >&2
  exit 1
fi
