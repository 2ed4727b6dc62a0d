use std::process::ExitCode;

fn main() -> ExitCode {
    buttonwatch::cli::run(std::env::args_os())
}
