#!/usr/bin/env bash
# Counts the instructions of three fixed runs and refuses more than 3 % above what is checked in. Wall time is noisy on shared
# machines; instructions are not: the same binary gives the same count to a few parts in a million.
#
#   benches/instructions.sh            compares with benches/instructions.txt
#   benches/instructions.sh --update   writes it anew: after a change that is worth its price, or that made things faster
#
# The count depends on the compiler, so its version stands in the file; another compiler skips loudly, as does a machine
# without valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."
# One place for what is built, whatever a configuration of cargo outside the project says.
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR

file=benches/instructions.txt
slack_percent=3
compiler=$(rustc --version)
skip() {
    echo "SKIPPED, SKIPPED, SKIPPED: $*, so no instructions were counted."
    exit 0
}
command -v valgrind >/dev/null || skip "there is no valgrind"
if [ "${1:-}" != --update ]; then
    known=$(sed -n 's/^compiler //p' "$file")
    [ "$known" = "$compiler" ] || skip "the counts are those of $known, this is $compiler (see --update)"
fi

cargo build --release --locked --package stormglass-benches --bin oneshot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints "NAME COUNT".
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$CARGO_TARGET_DIR/release/oneshot" "$@" \
        >"$work/out" 2>"$work/err" || {
        cat "$work/out" "$work/err" >&2
        exit 1
    }
    printf '%s %s\n' "$1" "$(sed -n 's/.*Collected : *//p' "$work/err")"
}
{
    echo "compiler $compiler"
    count mm1 run.duration=10m
    count three-tier run.duration=40s run.warm_up=5s
    count web-shop run.duration=4m run.warm_up=10s deploy.0.at=30s fault.0.at=150s traffic.tokyo.rate=300/s
} >"$work/found"

if [ "${1:-}" = --update ]; then
    cp "$work/found" "$file"
    cat "$file"
    exit 0
fi
# Fails on any run above the slack; says so too when one has become that much cheaper, since the file then guards nothing.
awk -v slack="$slack_percent" '
    $1 == "compiler" { next }
    NR == FNR { before[$1] = $2; next }
    {
        change = ($2 / before[$1] - 1) * 100
        printf "%-12s %14d instructions, %14d before: %+.2f %%\n", $1, $2, before[$1], change
        if (change > slack) { dear = 1 }
        if (change < -slack) { print "  cheaper by more than the slack: benches/instructions.sh --update keeps it so" }
    }
    END { if (dear) { print "more than " slack " % above benches/instructions.txt"; exit 1 } }
' "$file" "$work/found"
