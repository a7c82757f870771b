//! Stormglass's benchmarks: programs that measure, under `src/bin`.
