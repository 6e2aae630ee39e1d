//! `wstap diff`: what a proxy changed between its legs.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::Found;
use super::args::DiffArgs;
use super::error::CliError;
use super::options::{From, ReadOptions, paint};
use super::run::{Ran, run};
use super::screen::{Screen, complain};
use crate::diff::report::TextOptions;
use crate::diff::{Collector, Options, Report, compare};
use crate::event::{Cx, Event, Sink, Wants};
use crate::sink::paint::Paint;
use crate::sink::text::sealed;
use crate::sink::{Output, Summary, Tally};

pub(super) fn diff(args: &DiffArgs) -> Result<Found, CliError> {
    let screen = Screen::of_stdout();
    let mut captures = Vec::new();
    let mut found = Found::Nothing;
    let mut sealed = Vec::new();
    for (index, read) in captures_of(args)?.into_iter().enumerate() {
        let (legs, unread) = collect(index, read)?;
        captures.push(legs.collector.finish());
        sealed.push(legs.sealed);
        if unread == Found::Unread {
            found = unread;
        }
    }
    let report = compare(captures, &Options { strict: args.strict, ..Options::default() });
    let text = TextOptions {
        width: screen.reading_width(),
        color: paint(args.look.color, &screen) == Paint::Colour,
        all: args.look.verbose,
        heads: !args.look.quiet,
    };
    write(&report, &sealed, args.json, &text)?;
    if report.looks_swapped() {
        complain(
            "wstap: the captures look swapped: every handshake took longer on the server's side \
             than on the client's\n  name the client's side first: wstap diff CLIENT-SIDE SERVER-SIDE",
        );
    }
    Ok(match found {
        Found::Nothing if report.altered() => Found::Fault,
        found => found,
    })
}

/// One capture with both legs, or the client's side and the server's side, in this order.
fn captures_of(args: &DiffArgs) -> Result<Vec<ReadOptions>, CliError> {
    if !args.read.interfaces.is_empty() || args.read.words.len() < 2 {
        return Ok(vec![args.read.clone().try_into()?]);
    }
    if args.read.words.len() > 2 || args.read.write.is_some() {
        return Err(CliError::usage(
            "diff takes one capture with both legs, or two: the client's side, the server's side",
            "name one or two files; rotated ones are joined first: mergecap -w BOTH.pcapng A B; \
             and -w goes with one only",
        ));
    }
    if let [client, server] = args.read.words.as_slice() {
        let one_file = |a, b| a == b && Path::new(client).is_file();
        let real = |word| std::fs::canonicalize(word).ok();
        if client == server || one_file(real(client), real(server)) {
            return Err(CliError::usage(
                "both words name one file",
                "a capture that holds both legs is named once: wstap diff FILE",
            ));
        }
    }
    let one = |word: &OsString| {
        let words = vec![word.clone()];
        super::args::ReadArgs { words, ..args.read.clone() }.try_into()
    };
    args.read.words.iter().map(one).collect()
}

fn collect(index: usize, read: ReadOptions) -> Result<(Legs, Found), CliError> {
    let name = match &read.from {
        From::Inputs(inputs) => inputs.first().map_or_else(String::new, ToString::to_string),
        other => other.name(),
    };
    let collector = Collector::new(index, name);
    let sink = Legs { collector, tally: Tally::default(), sealed: Vec::new() };
    let Ran { output, found } = run(read, sink)?;
    Ok((output, found))
}

/// The report, and for people what of each capture stayed unread.
fn write(
    report: &Report,
    sealed: &[Vec<String>],
    json: bool,
    text: &TextOptions,
) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json {
        report.write_json(&mut out)
    } else {
        report.write_text(text, &mut out).and_then(|()| {
            let side = |at| match (sealed.len(), at) {
                (0 | 1, _) => "",
                (_, 0) => "the client's side: ",
                _ => "the server's side: ",
            };
            let told = sealed.iter().enumerate().filter(|(_, lines)| !lines.is_empty());
            told.into_iter()
                .try_for_each(|(at, lines)| writeln!(out, "\n{}{}", side(at), lines.join("\n")))
        })
    };
    match written.and_then(|()| out.flush()) {
        // A closed pipe is no error: the reader had enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}

/// Gathers legs; writes nothing until both captures are read.
struct Legs {
    collector: Collector,
    tally: Tally,
    /// What could not be decrypted: legs that are missing may be there.
    sealed: Vec<String>,
}

impl Sink for Legs {
    fn wants(&self) -> Wants {
        self.collector.wants()
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.tally.count(event);
        self.collector.event(cx, event)
    }
}

impl Output for Legs {
    fn flush(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finish(&mut self, end: &Summary<'_>) -> io::Result<()> {
        self.sealed = sealed(end);
        Ok(())
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
