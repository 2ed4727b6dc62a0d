//! How a command ends: its exit status and what it says on standard error. The numbers are documented and stable.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Fine = 0,
    /// What was asked could not be done, or what was checked is not in order.
    Failed = 1,
    /// The command line is wrong. clap's own number.
    Usage = 2,
    /// Nothing answers, or it is starting or stopping.
    Unreachable = 3,
    NotFound = 4,
    /// The service wants a token, or another one.
    NotAllowed = 5,
    /// It cannot be done in the present state: the order is closed already, say.
    Conflict = 6,
    /// A unit did not do in time what it was asked for.
    NoAnswer = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// For the end of `--help` and docs/cli.md.
pub const EXIT_HELP: &str = "\
Exit status:
  0  done
  1  what was asked could not be done, or what was checked is not in order
  2  the command line is wrong
  3  the service does not answer, or is starting or stopping
  4  there is no such unit, order, site or crew
  5  the service wants a token, or another one (BUTTONWATCH_TOKEN)
  6  it cannot be done in the present state, such as closing a closed order; or the unit
     refused
  7  the unit did not answer in time";

/// Why a command did not do what was asked, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// Lines for standard error, without `error:`. Empty: nothing to say.
    pub text: String,
}

impl Failure {
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Failure { exit, text: text.into() }
    }
    pub fn failed(text: impl Into<String>) -> Self {
        Failure::new(Exit::Failed, text)
    }
    pub fn usage(text: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, text)
    }
    /// The reader of our output has seen enough (`| head`): no failure at all.
    pub fn reader_gone() -> Self {
        Failure::new(Exit::Fine, "")
    }
}
