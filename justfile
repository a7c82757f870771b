# The habits of this workspace. `just` lists them.

default:
    @just --list

# Formats, lints and documents without complaint
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Every test
test:
    cargo test --workspace

# Requests a second beside a loop by hand; others: hold, parts
bench *ARGS:
    cargo run --release -p stormglass-benches --bin throughput -- {{ARGS}}

# Builds with a profile of library scenarios: the same results in less time (rustup component add llvm-tools)
pgo:
    benches/pgo.sh

# Runs a scenario, such as `just run web-shop --replications 5`
run *ARGS:
    cargo run --release --quiet -- run {{ARGS}}

# What continuous integration does
ci:
    .ci/run
