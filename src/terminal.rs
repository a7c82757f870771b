//! Standard output and standard error, which may be terminals, files, or pipes that nobody reads any more.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// Writes results. A reader that went away is not an error: it has what it wanted.
///
/// # Errors
/// Whatever else the system reports.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes a line for people to standard error. If that is closed there is nobody to tell.
pub fn tell(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether results may be coloured.
pub fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && colour_is_wanted()
}

/// Whether messages may be coloured.
pub fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && colour_is_wanted()
}

/// <https://no-color.org>: any value but the empty one means no.
fn colour_is_wanted() -> bool {
    let set_to = |name, value: fn(&std::ffi::OsStr) -> bool| std::env::var_os(name).is_some_and(|it| value(&it));
    !set_to("NO_COLOR", |value| !value.is_empty()) && !set_to("TERM", |value| value == "dumb")
}

/// Columns for the summary: the terminal's, within what a table can make use of.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(100, |(width, _)| usize::from(width.0)).clamp(60, 160)
}

/// A number with three digits and a prefix, such as `1.23 M`.
pub fn si(value: f64) -> String {
    let (scaled, prefix) = match value.abs() {
        v if v >= 999.5e6 => (value / 1e9, " G"),
        v if v >= 999.5e3 => (value / 1e6, " M"),
        v if v >= 999.5 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        v if prefix.is_empty() && v.fract() == 0.0 || v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{prefix}")
}

/// A span of simulated time, such as `1 h 30 min`.
pub fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{} s", si(seconds));
    }
    let whole = (seconds + 0.5) as u64;
    let parts = [(whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let shown: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_prefix() {
        let of = [0.0, 7.0, 7.5, 42.25, 999.0, 1000.0, 12_345.0, 999_600.0, 1.2e6, 3.4e9];
        let shown = ["0", "7", "7.50", "42.2", "999", "1.00 k", "12.3 k", "1.00 M", "1.20 M", "3.40 G"];
        assert_eq!(of.map(si), shown);
    }

    #[test]
    fn spans_are_told_in_their_units() {
        assert_eq!(span(0.5), "0.50 s");
        assert_eq!(span(20.0), "20 s");
        assert_eq!(span(5400.0), "1 h 30 min");
        assert_eq!(span(86_400.0 + 61.0), "1 d 1 min 1 s");
    }
}
