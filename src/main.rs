//! Stormglass.
fn main() {}
