//! `wstap completions` and `wstap man`: made from the definition of the arguments.

use clap::CommandFactory;

use super::Found;
use super::args::{Args, CompletionsArgs, ManArgs};
use super::error::CliError;
use super::screen;

pub(super) fn completions(args: &CompletionsArgs) -> Result<Found, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "wstap", &mut script);
    screen::put(&String::from_utf8_lossy(&script))?;
    Ok(Found::Nothing)
}

pub(super) fn man(args: &ManArgs) -> Result<Found, CliError> {
    let mut command = Args::command();
    command.build();
    if let Some(name) = &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| CliError::Unknown {
            message: format!("there is no command {name:?}"),
            hint: "wstap --help lists them".to_owned(),
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(CliError::Output)?;
    screen::put(&String::from_utf8_lossy(&page))?;
    Ok(Found::Nothing)
}
