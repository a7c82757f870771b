//! Stormglass's benchmarks: programs that measure, under `src/bin`.

pub mod bare_metal;
