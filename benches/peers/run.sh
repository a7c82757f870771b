#!/usr/bin/env bash
# The same models in other simulators, one after the other in one run, on one core: customers a second, start-up included.
#   benches/peers/run.sh [CUSTOMERS]
# Installs SimPy, Ciw and salabim from PyPI into a folder that is removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR

customers=${1:-100000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpy ciw salabim
"$work/venv/bin/pip" list 2>/dev/null | grep -iE '^(simpy|ciw|salabim) '
cargo build --release --locked --quiet
stormglass=$CARGO_TARGET_DIR/release/stormglass

# Prints "WHAT CUSTOMERS SECONDS MEAN" of a command that prints customers and mean sojourn.
report() {
    local what=$1 begin end found
    shift
    begin=$(date +%s.%N)
    found=$("$@")
    end=$(date +%s.%N)
    awk -v what="$what" -v found="$found" -v seconds="$(awk "BEGIN { print $end - $begin }")" 'BEGIN {
        split(found, part, " ")
        printf "%-24s %10d customers in %7.2f s: %10d/s, mean %.2f ms\n", what, part[1], seconds, part[1] / seconds, part[2] * 1000
    }'
}
# One replication of a library scenario, cut to last as long as is worth measuring.
ours() {
    "$stormglass" run "$1" --replications 1 --threads 1 --no-fail --quiet --json --set "run.duration=$2" --set run.warm_up=0s |
        python3 -c 'import json, sys; it = json.load(sys.stdin); print(it["requests"]["started"]["value"], it["latency"]["mean"]["value"])'
}
report "mm1, SimPy" "$work/venv/bin/python" benches/peers/mm1_simpy.py "$customers"
report "mm1, Ciw" "$work/venv/bin/python" benches/peers/mm1_ciw.py "$customers"
report "mm1, salabim" "$work/venv/bin/python" benches/peers/mm1_salabim.py "$customers"
report "mm1, Stormglass" ours mm1 20h
report "three-tier, SimPy" "$work/venv/bin/python" benches/peers/three_tier_simpy.py "$customers"
report "three-tier, Stormglass" ours three-tier 1h
