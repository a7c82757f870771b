//! The colours of heat maps.

use plotters::style::RGBColor;

/// From pale to dark: five colours of ColorBrewer's YlGnBu, which colour-blind readers can tell apart.
const SHADES: [RGBColor; 5] = [
    RGBColor(0xFF, 0xFF, 0xCC),
    RGBColor(0xA1, 0xDA, 0xB4),
    RGBColor(0x41, 0xB6, 0xC4),
    RGBColor(0x2C, 0x7F, 0xB8),
    RGBColor(0x25, 0x34, 0x94),
];

/// The colour of a share from 0 to 1.
pub(super) fn shade(share: f64) -> RGBColor {
    let at = share.clamp(0.0, 1.0) * (SHADES.len() - 1) as f64;
    let index = (at as usize).min(SHADES.len() - 2);
    let (from, to, part) = (SHADES[index], SHADES[index + 1], at - index as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// The shares of a legend, with their colours.
pub(super) fn steps() -> impl Iterator<Item = (f64, RGBColor)> {
    (0..SHADES.len()).map(|step| step as f64 / (SHADES.len() - 1) as f64).map(|share| (share, shade(share)))
}
