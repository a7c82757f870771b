#!/usr/bin/env bash
# Fuzzes the scenario parser, the log reader and composed architectures with libFuzzer, each for so many seconds:
#   tests/fuzz.sh [SECONDS [TARGET...]]
# What was learned stays in fuzz/corpus, what was found in fuzz/artifacts; replay a finding with
#   BINARY fuzz/artifacts/TARGET/crash-...
# Needs no nightly compiler: LLVM's coverage counters are asked for as cargo-fuzz does, without a sanitizer, because all code
# is safe Rust. Ends with 0 and a loud line where libFuzzer does not build.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-40}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(scenario log architecture)

host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
build=$(mktemp)
trap 'rm -f "$build"' EXIT
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}/fuzz")
export CARGO_TARGET_DIR
if ! RUSTFLAGS="$coverage" cargo build --manifest-path fuzz/Cargo.toml --release --target "$host" >"$build" 2>&1; then
    # A mistake of ours is no reason to skip.
    if grep -q 'could not compile `stormglass-fuzz`' "$build"; then
        cat "$build" >&2
        exit 1
    fi
    tail -n 5 "$build"
    echo "SKIPPED, SKIPPED, SKIPPED: libFuzzer does not build here, so nothing was fuzzed."
    exit 0
fi

for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    seeds=()
    # Choices are numbers: a long list is no harder to read than a short one.
    options=(-max_len=160 -len_control=0)
    case $target in
    scenario)
        seeds=(scenarios/library scenarios/tests/broken)
        options=(-max_len=16384 -dict=fuzz/scenario.dict)
        ;;
    log)
        seeds=(fuzz/seeds/log)
        options=(-max_len=4096 -dict=fuzz/log.dict)
        ;;
    esac
    echo "+ $target for $seconds s"
    "$CARGO_TARGET_DIR/$host/release/$target" "fuzz/corpus/$target" "${seeds[@]}" "${options[@]}" -max_total_time="$seconds" \
        -timeout=30 -rss_limit_mb=2048 -artifact_prefix="fuzz/artifacts/$target/" -print_final_stats=1 >"$build" 2>&1 || {
        tail -n 60 "$build" >&2
        echo "fuzzing $target found something: see fuzz/artifacts/$target" >&2
        exit 1
    }
    grep -E 'DONE|stat::number_of_executed_units|stat::peak_rss_mb|Done ' "$build" || tail -n 5 "$build"
done
