//! Why a command did not do what it was told, sorted by who has to act.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The code for two reports that differ, as diff(1) has it.
pub const DIFFERENT: u8 = 1;

/// The code for an expectation that failed, as k6 has it.
pub const EXPECTATION_FAILED: u8 = 99;

/// The code for shards that lack points: what there is is sound, and more has to come.
pub const POINTS_MISSING: u8 = 3;

/// A failure. Its text is for standard error.
#[derive(Debug)]
pub enum Failure {
    /// What was typed or what stands in a file is wrong: one line to say what.
    Input(String),
    /// The same, as text that is complete in itself.
    Diagnostics(String),
    /// The simulator is wrong.
    Fault(String),
    /// The results could not be written.
    Output(String),
}

impl Failure {
    /// Of a write to standard output.
    pub fn of_stdout(error: io::Error) -> Self {
        Self::Output(format!("the results cannot be written to standard output: {error}"))
    }

    /// What the process ends with; 70 and 74 are EX_SOFTWARE and EX_IOERR of sysexits.h.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Input(_) | Self::Diagnostics(_) => 2,
            Self::Fault(_) => 70,
            Self::Output(_) => 74,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diagnostics(text) => f.write_str(text.trim_end()),
            Self::Input(text) | Self::Output(text) => write!(f, "error: {text}"),
            Self::Fault(text) => write!(
                f,
                "internal fault: {text}\nThis is a bug of Stormglass and no fault of the scenario: please report it with the \
                 scenario, the command and these lines."
            ),
        }
    }
}
