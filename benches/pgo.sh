#!/usr/bin/env bash
# Builds `stormglass` and the benchmark `throughput` guided by a profile of library scenarios, for those who run many hours of
# sweeps: the same results, to the bit, in less time. Wants LLVM's tools: `rustup component add llvm-tools`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/pgo
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(find "$(rustc --print sysroot)/lib/rustlib" -name 'llvm-profdata*' | head -n 1)
if [ -z "$profdata" ]; then
    echo "no llvm-profdata beside rustc: rustup component add llvm-tools" >&2
    exit 1
fi

# With a target of its own, so that build scripts and macros are left alone.
build() {
    RUSTFLAGS="$1" CARGO_TARGET_DIR=$target cargo build --release --quiet --target "$host" \
        -p stormglass -p stormglass-benches --bin stormglass --bin throughput
}
programs=$target/$host/release

rm -rf "$target/profile"
echo "building with counters"
build "-Cprofile-generate=$target/profile"
echo "counting"
for scenario in three-tier three-tier-threaded web-shop deployments aurora-failover dynamodb-hot-partition; do
    "$programs/stormglass" run "$scenario" --replications 1 > /dev/null
done
# The loop by hand too, or it would be built as code that never runs.
"$programs/throughput" three-tier > /dev/null
"$profdata" merge --output "$target/merged.profdata" "$target/profile"
echo "building with what was counted"
build "-Cprofile-use=$target/merged.profdata"
echo "$programs/stormglass"
