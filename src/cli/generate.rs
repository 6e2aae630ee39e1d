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
    let usage = command.render_usage().to_string();
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(CliError::Output)?;
    screen::put(&with_synopsis(&String::from_utf8_lossy(&page), &usage))?;
    Ok(Found::Nothing)
}

/// The page with the usage as its synopsis: `clap_mangen`'s has every option, and of none what it takes.
fn with_synopsis(page: &str, usage: &str) -> String {
    const HEADING: &str = "\n.SH SYNOPSIS\n";
    let lines = usage.trim_start_matches("Usage:").lines().map(|line| {
        let line = line.trim().replace('\\', "\\\\").replace('-', "\\-");
        // A line that begins with a dot or an apostrophe would be a request.
        format!("\\&{line}")
    });
    let synopsis = lines.collect::<Vec<_>>().join("\n.br\n");
    match page.split_once(HEADING) {
        Some((before, after)) => {
            let rest = after.find(".SH ").and_then(|at| after.get(at..)).unwrap_or_default();
            format!("{before}{HEADING}{synopsis}\n{rest}")
        }
        None => page.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synopsis_is_the_usage() {
        let page = ".TH x\n.SH SYNOPSIS\n\\fBx\\fR [\\fB-n \\fR]\n.SH DESCRIPTION\nit\n";
        let got = with_synopsis(page, "Usage: x [OPTIONS]\n       x --to <FORMAT>");
        let want = ".TH x\n.SH SYNOPSIS\n\\&x [OPTIONS]\n.br\n\\&x \\-\\-to <FORMAT>\n\
                    .SH DESCRIPTION\nit\n";
        assert_eq!(got, want);
    }
}
