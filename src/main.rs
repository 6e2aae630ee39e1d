//! The `wstap` program: arguments in, exit status out. Everything else is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    wstap::cli::main(std::env::args_os())
}
