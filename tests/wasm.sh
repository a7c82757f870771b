#!/usr/bin/env bash
# Runs every scenario of the library as WebAssembly in node and compares the raw bits of the results with the digests that
# are checked in. The module must build from the engine without imports: no thread, clock, file or environment to ask.
#
# Takes a compiler that has the target (`rustup target add wasm32-unknown-unknown`), otherwise Debian's, which builds the
# standard library from its sources. Ends with 0 and a loud line where neither is to be had.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "SKIPPED, SKIPPED, SKIPPED: $*, so no scenario was run as WebAssembly."
    exit 0
}

target=wasm32-unknown-unknown
command -v node >/dev/null || skip "there is no node"

build=(--release --locked --package stormglass-digests --lib --crate-type cdylib --target "$target")
# Debian's compiler must not meet what rustup's has built.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/wasm
export CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_CODEGEN_UNITS=4
if [ -d "$(rustc --print target-libdir --target "$target" 2>/dev/null)" ]; then
    cargo rustc "${build[@]}"
else
    packages=(rustc-web cargo-web rust-web-src lld)
    if ! dpkg --status "${packages[@]}" >/dev/null 2>&1; then
        command -v apt-get >/dev/null || skip "the compiler lacks $target and this is no Debian"
        [ "$(id -u)" = 0 ] || skip "the compiler lacks $target and ${packages[*]} are not installed"
        { apt-get update && apt-get install --yes --no-install-recommends "${packages[@]}"; } >/dev/null 2>&1 ||
            skip "${packages[*]} cannot be installed"
    fi
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    "$RUSTC" --version
    /usr/bin/cargo rustc -Zbuild-std=std,panic_abort "${build[@]}"
fi

node tests/wasm.js "$CARGO_TARGET_DIR/$target/release/stormglass_digests.wasm" tests/digests/digests.txt
