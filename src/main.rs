//! The binary: hands its arguments to `cli`, which owns everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    buttonwatch::cli::run(std::env::args_os())
}
