#!/usr/bin/env bash
# A sweep as an array job of a real Slurm: one node on this machine, set up in a temporary folder and taken down again. The
# merged shards must be the unsharded sweep, byte for byte. Wants root, for Slurm's daemons; skips loudly where they cannot be.
# Usage: tests/slurm.sh STORMGLASS
set -euo pipefail
stormglass=$(realpath "${1:?the stormglass binary}")
jobs=$(realpath "$(dirname "$0")/../docs/sweeps")

skip() {
    echo "SKIPPED, SKIPPED, SKIPPED: $*, so no sweep was run by a real Slurm."
    exit 0
}
[ "$(id -u)" = 0 ] || skip "Slurm's daemons want root"
if ! command -v slurmctld slurmd munged >/dev/null; then
    command -v apt-get >/dev/null || skip "slurm-wlm and munge are not installed"
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge) \
        >/dev/null 2>&1 || skip "slurm-wlm and munge cannot be installed"
fi

work=$(mktemp -d)
pids=()
finish() {
    local code=$?
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [ "$code" != 0 ]; then tail -n 20 "$work"/*.log >&2 || true; fi
    rm -rf "$work"
}
trap finish EXIT
# Waits until a command succeeds, at most half a minute.
until_true() {
    for _ in $(seq 150); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    return 1
}

chmod 755 "$work"
mkdir -m 755 "$work/munge" "$work/state" "$work/spool"
head -c 1024 /dev/urandom >"$work/munge/key"
chmod 600 "$work/munge/key"
node=$(hostname -s)
port=$((20000 + RANDOM % 10000))
cat >"$work/slurm.conf" <<CONF
ClusterName=sweeps
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=autodetect\nIgnoreSystemd=yes\n' >"$work/cgroup.conf"
export SLURM_CONF=$work/slurm.conf

munged --force --foreground --socket="$work/munge/socket" --key-file="$work/munge/key" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$work/munged.log" >"$work/munged.out.log" 2>&1 &
pids+=($!)
until_true test -S "$work/munge/socket" || skip "munged does not start here"
slurmctld -D >"$work/slurmctld.log" 2>&1 &
pids+=($!)
slurmd -D >"$work/slurmd.log" 2>&1 &
pids+=($!)
idle() { [ "$(sinfo --noheader --format %t)" = idle ]; }
until_true idle || { cat "$work/slurmctld.log" "$work/slurmd.log" >&2; skip "Slurm's daemons do not start here"; }
sinfo --version

cat >"$work/desk.toml" <<'SCENARIO'
title = "One desk"
[run]
duration = "10m"
replications = 3
[[traffic]]
name = "people"
to = "station.desk"
rate = "20/s"
[station.desk]
service = { exponential = "25ms" }
[sweep]
vary = { "traffic.people.rate" = "4/s..36/s:4/s", "station.desk.servers" = "1..2" }
SCENARIO
cd "$work"
export PATH="$(dirname "$stormglass"):$PATH" SCENARIO=desk.toml SHARDS=5 OUT=shards
"$stormglass" sweep desk.toml --out whole --quiet >/dev/null

echo "+ sbatch --array=0-4 docs/sweeps/slurm.sbatch"
start=$SECONDS
sbatch --quiet --wait --array=0-4 --output="$work/job-%a.log" "$jobs/slurm.sbatch"
echo "an array of 5 took $((SECONDS - start)) s"
rm "$work/shards/shard-00004-of-00005.jsonl"
set +e
"$stormglass" merge shards --out merged --quiet 2>"$work/missing.log"
code=$?
set -e
cat "$work/missing.log"
[ "$code" = 3 ] || { echo "merge should miss points and ended with $code" >&2; exit 1; }

echo "+ sbatch --array=3, the missing one alone"
sbatch --quiet --wait --array=3 --output="$work/again-%a.log" "$jobs/slurm.sbatch"
"$stormglass" merge shards --out merged --quiet >/dev/null
diff --recursive --brief whole merged
echo "the sweep of Slurm's array job is the unsharded one, byte for byte"
