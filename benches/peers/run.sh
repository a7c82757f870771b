#!/usr/bin/env bash
# The same models in other simulators, one after the other in one run, on one core: customers a second of processor time, start-up
# included.
#   benches/peers/run.sh [CUSTOMERS]
# Python's simulators serve that many customers, the compiled ones ten times as many, Stormglass some millions.
# Installs Python's from PyPI into a folder that is removed afterwards, with Python 3.13 or newer where there is one (PYTHON=... says
# which): happysim wants 3.13, AsyncFlow 3.12. Builds nexosim, simrs and desim from crates.io.
set -euo pipefail
cd "$(dirname "$0")/../.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR

customers=${1:-100000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Whether the Python at $1 is at least 3.$2.
at_least() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, $2))" 2>/dev/null
}
# The first Python that all simulators run with, else the one there is.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[3-9]*/bin/python; do
        if at_least "$candidate" 13; then
            echo "$candidate"
            return
        fi
    done
    echo python3
}
# Installs a simulator if this Python is new enough for it.
have() {
    local package=$1 minor=$2
    if at_least "$python" "$minor"; then
        "$python" -m pip install --quiet "$package"
        "$python" -m pip list 2>/dev/null | grep -iE "^$package "
    else
        echo "SKIPPED, SKIPPED, SKIPPED: $package wants Python 3.$minor, this is $("$python" --version)."
        return 1
    fi
}
# Prints customers, seconds, customers a second and mean of a command that prints customers and mean sojourn. The seconds are those of
# a processor at work, not of the clock on the wall: what else the machine does counts less.
report() {
    local what=$1 found TIMEFORMAT="%U %S"
    shift
    { time found=$("$@" 2>&3); } 3>&2 2>"$work/time"
    awk -v what="$what" -v found="$found" '{
        seconds = $1 + $2
        split(found, part, " ")
        printf "%-24s %10d customers in %7.2f s: %10d/s, mean %.2f ms\n", what, part[1], seconds, part[1] / seconds, part[2] * 1000
    }' "$work/time"
}
# One replication of a library scenario, cut to last as long as is worth measuring, with further settings.
ours() {
    local scenario=$1 duration=$2
    shift 2
    "$stormglass" run "$scenario" --replications 1 --threads 1 --no-fail --quiet --json --set "run.duration=$duration" --set run.warm_up=0s "$@" |
        "$python" -c 'import json, sys; it = json.load(sys.stdin); print(it["requests"]["started"]["value"], it["latency"]["mean"]["value"])'
}

"${PYTHON:-$(find_python)}" -m venv "$work/venv"
python=$work/venv/bin/python
"$python" --version

cargo build --release --locked --quiet
stormglass=$CARGO_TARGET_DIR/release/stormglass
# Beside each other, as they are built with different features; desim wants coroutines, which stable Rust has not.
peers=$CARGO_TARGET_DIR/peers
cargo build --release --locked --quiet --manifest-path benches/peers/rust/Cargo.toml --target-dir "$peers"
RUSTC_BOOTSTRAP=1 cargo build --release --locked --quiet --manifest-path benches/peers/rust/Cargo.toml --features desim \
    --target-dir "$peers/desim"
cargo tree --locked --manifest-path benches/peers/rust/Cargo.toml --features desim --depth 1 --prefix none | grep -E '^(desim|nexosim|simrs) '

have simpy 8 && simpy=yes
have ciw 9 && ciw=yes
have salabim 9 && salabim=yes
have happysim 13 && happysim=yes
have asyncflow-sim 12 && asyncflow=yes
echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg)"

compiled=$((10 * customers))
report "mm1, Stormglass" ours mm1 20h
report "mm1, simrs" "$peers/release/mm1_simrs" "$compiled"
report "mm1, nexosim" "$peers/release/mm1_nexosim" "$compiled"
report "mm1, desim" "$peers/desim/release/mm1_desim" "$compiled"
[ -z "${simpy:-}" ] || report "mm1, SimPy" "$python" benches/peers/mm1_simpy.py "$customers"
[ -z "${ciw:-}" ] || report "mm1, Ciw" "$python" benches/peers/mm1_ciw.py "$customers"
[ -z "${happysim:-}" ] || report "mm1, happysim" "$python" benches/peers/mm1_happysim.py "$customers"
[ -z "${salabim:-}" ] || report "mm1, salabim" "$python" benches/peers/mm1_salabim.py "$customers"
report "md1, Stormglass" ours mm1 20h --set station.desk.service=10ms
[ -z "${asyncflow:-}" ] || report "md1, AsyncFlow" "$python" benches/peers/md1_asyncflow.py "$customers"
report "three-tier, Stormglass" ours three-tier 1h
report "three-tier, desim" "$peers/desim/release/three_tier_desim" "$compiled"
[ -z "${simpy:-}" ] || report "three-tier, SimPy" "$python" benches/peers/three_tier_simpy.py "$customers"
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
