//! Payloads as files: one for each message, and an index.
//!
//! Gets: every event, and which are asked for. Gives: in a folder `0001-c2s-0003.txt` (text that is
//! UTF-8) or `.bin` (anything else): connection, direction, number of the message in its direction;
//! `.part.` before the ending where bytes are missing; and `index.csv`. Keeps: what names the open
//! connections.
//!
//! Names are made of our own numbers and words alone: nothing from the network is in them.
//!
//! Where an earlier export is replaced, the files that its index names go first, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str;

use super::csv::{Cells, Row};
use super::known::Known;
use crate::event::{Cx, Event, Message, Payload, Sink, Wants};
use crate::sink::outlet::Outlet;
use crate::sink::select::{Everything, Select};
use crate::sink::{Output, Summary, Tally};
use crate::units::{ConnNo, Timestamp};

/// The index's name.
pub const INDEX: &str = "index.csv";

const COLUMNS: [&str; 12] = [
    "file", "conn", "client", "server", "path", "time", "packet", "dir", "n", "kind", "len",
    "complete",
];

/// What is written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadOptions {
    /// Pings, pongs and Close frames with a payload too.
    pub control: bool,
    /// Replace files that are there.
    pub replace: bool,
}

/// Writes payloads to files.
#[derive(Debug)]
pub struct PayloadSink<S = Everything> {
    folder: PathBuf,
    index: Outlet<File>,
    select: S,
    options: PayloadOptions,
    known: Known,
    tally: Tally,
    written: u64,
    /// Messages whose bytes were not kept: over a limit.
    skipped: u64,
    failed: Option<io::Error>,
}

impl<S: Select> PayloadSink<S> {
    /// Into a folder, which is made if need be.
    ///
    /// # Errors
    /// When the folder or the index can not be made.
    pub fn of(folder: PathBuf, options: PayloadOptions, select: S) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        if options.replace {
            remove_earlier(&folder)?;
        }
        let mut index = Outlet::new(create(&folder, INDEX, options.replace)?);
        index.buf().extend_from_slice(COLUMNS.join(",").as_bytes());
        index.buf().extend_from_slice(b"\r\n");
        Ok(Self {
            folder,
            index,
            select,
            options,
            known: Known::default(),
            tally: Tally::default(),
            written: 0,
            skipped: 0,
            failed: None,
        })
    }

    /// Files written, the index aside.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Messages without a file, for their bytes were not kept.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn message(&mut self, cx: &Cx<'_>, message: &Message<'_>) -> io::Result<()> {
        let Some(known) = self.known.name(cx) else { return Ok(()) };
        if message.kind.is_control() && (!self.options.control || message.len == 0) {
            return Ok(());
        }
        if matches!(message.payload, Payload::Skipped) {
            self.skipped += 1;
            return Ok(());
        }
        let name = name(known.no, message);
        create(&self.folder, &name, self.options.replace)?.write_all(message.payload.bytes())?;
        self.written += 1;
        let mut row = Row { buf: self.index.buf(), cells: Cells::Guarded, first: true };
        row.plain(&name);
        row.plain(&known.no.to_string());
        row.plain(&cx.conn.client.to_string());
        row.plain(&cx.conn.server.to_string());
        row.text(known.path.as_deref().unwrap_or_default());
        row.plain(cx.origin.time.map(Timestamp::rfc3339).as_ref().map_or("", |time| time.as_str()));
        row.plain(&cx.origin.packet.to_string());
        row.plain(message.dir.name());
        row.plain(&message.no.to_string());
        row.plain(message.kind.name());
        row.plain(&message.len.to_string());
        row.plain(if message.complete { "true" } else { "false" });
        row.end();
        Ok(())
    }
}

impl<S: Select> Sink for PayloadSink<S> {
    fn wants(&self) -> Wants {
        Wants::MESSAGES
    }

    fn event(&mut self, cx: &Cx<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.known.see(cx, event);
        if !self.select.selects(cx, event) {
            return ControlFlow::Continue(());
        }
        self.tally.count(event);
        if let Event::Message(message) = event
            && let Err(error) = self.message(cx, message)
        {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        self.index.line_done()
    }
}

impl<S: Select> Output for PayloadSink<S> {
    fn begin(&mut self, first: Option<Timestamp>) {
        self.select.begin(first);
    }

    fn flush(&mut self) -> ControlFlow<()> {
        self.index.flush()
    }

    fn finish(&mut self, _end: &Summary<'_>) -> io::Result<()> {
        let finished = self.index.finish();
        self.failed.take().map_or(finished, Err)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

fn name(no: ConnNo, message: &Message<'_>) -> String {
    let ending = if matches!(message.payload, Payload::Text(_)) { "txt" } else { "bin" };
    let kind = match message.kind {
        kind if kind.is_control() => format!("-{}", kind.name()),
        _ => String::new(),
    };
    let part = if message.complete { "" } else { ".part" };
    format!("{:04}-{}-{:04}{kind}{part}.{ending}", no.0, message.dir.name(), message.no.0)
}

/// Is this a name that [`name`] makes.
fn is_ours(name: &str) -> bool {
    let Some((stem, "txt" | "bin")) = name.rsplit_once('.') else { return false };
    let mut parts = stem.strip_suffix(".part").unwrap_or(stem).split('-');
    let mut next = || parts.next().unwrap_or_default();
    let number = |part: &str| part.len() >= 4 && part.bytes().all(|b| b.is_ascii_digit());
    number(next())
        && matches!(next(), "c2s" | "s2c")
        && number(next())
        && matches!(next(), "" | "ping" | "pong" | "close")
        && parts.next().is_none()
}

/// Removes the files of an earlier export, which would stand among the new ones: those of our names that
/// its index lists.
fn remove_earlier(folder: &Path) -> io::Result<()> {
    let Ok(index) = File::open(folder.join(INDEX)) else { return Ok(()) };
    for line in BufReader::new(index).split(b'\n') {
        let line = line?;
        let first = line.split(|b| *b == b',').next().and_then(|cell| str::from_utf8(cell).ok());
        let Some(name) = first.filter(|name| is_ours(name)) else { continue };
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()) {
            fs::remove_file(&path).map_err(|error| named(&path, &error))?;
        }
    }
    Ok(())
}

/// The error with the file that it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn create(folder: &Path, name: &str, replace: bool) -> io::Result<File> {
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.write(true);
    if replace {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(&path).map_err(|error| named(&path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::MessageKind;
    use crate::sink::samples;
    use crate::units::{Direction, MessageNo};

    fn run(folder: &Path, options: PayloadOptions) -> io::Result<PayloadSink> {
        let mut handshake = samples::handshake();
        handshake.request.as_mut().unwrap().target = "/../../etc/passwd".into();
        let hello = samples::text(b"hello");
        let bytes = Message {
            dir: Direction::ToClient,
            no: MessageNo(12),
            complete: false,
            ..samples::binary(b"\x00\xff")
        };
        let over = Message { payload: Payload::Skipped, no: MessageNo(2), ..hello };
        let ping = Message {
            kind: MessageKind::Ping,
            no: MessageNo(3),
            payload: Payload::Data(b"hi"),
            len: 2,
            ..hello
        };
        let events = [
            (6, 412, Event::Handshake(&handshake)),
            (8, 1893, Event::Message(&hello)),
            (9, 1900, Event::Message(&bytes)),
            (10, 1910, Event::Message(&over)),
            (11, 1920, Event::Message(&ping)),
        ];
        let mut sink = PayloadSink::of(folder.to_owned(), options, Everything)?;
        samples::feed(&mut sink, &events);
        samples::finish(&mut sink);
        Ok(sink)
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn each_message_is_a_file_with_a_safe_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/on/the/way");
        let sink = run(&path, PayloadOptions::default()).unwrap();
        assert_eq!(files(&path), ["0001-c2s-0001.txt", "0001-s2c-0012.part.bin", "index.csv"]);
        assert_eq!(fs::read(path.join("0001-c2s-0001.txt")).unwrap(), b"hello");
        assert_eq!(fs::read(path.join("0001-s2c-0012.part.bin")).unwrap(), b"\x00\xff");
        assert_eq!((sink.written(), sink.skipped()), (2, 1));
        let index = fs::read_to_string(path.join(INDEX)).unwrap();
        assert_eq!(index.lines().count(), 3);
        assert!(
            index.contains("0001-c2s-0001.txt,1,127.0.0.1:40938,[::1]:8088,/../../etc/passwd,")
        );
    }

    #[test]
    fn control_frames_are_written_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let options = PayloadOptions { control: true, replace: false };
        run(folder.path(), options).unwrap();
        assert!(files(folder.path()).contains(&"0001-c2s-0003-ping.bin".to_owned()));
    }

    #[test]
    fn nothing_is_replaced_unless_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), PayloadOptions::default()).unwrap();
        let again = run(folder.path(), PayloadOptions::default()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        run(folder.path(), PayloadOptions { replace: true, control: false }).unwrap();
    }

    #[test]
    fn files_of_an_earlier_export_go_and_nothing_else() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("export");
        run(&folder, PayloadOptions { control: true, replace: false }).unwrap();
        let mut index = OpenOptions::new().append(true).open(folder.join(INDEX)).unwrap();
        let not_ours = ["../0009-c2s-0001.txt", "kept.txt", "0008-c2s-0001.txt.txt"];
        for name in not_ours {
            fs::write(folder.join(name), b"x").unwrap();
            write!(index, "{name},9\r\n").unwrap();
        }
        fs::write(folder.join("0007-c2s-0001.txt"), b"of no index").unwrap();
        fs::create_dir(folder.join("0006-c2s-0001.txt")).unwrap();
        write!(index, "0006-c2s-0001.txt,6\r\n").unwrap();
        PayloadSink::of(
            folder.clone(),
            PayloadOptions { control: false, replace: true },
            Everything,
        )
        .unwrap();
        let left =
            ["0006-c2s-0001.txt", "0007-c2s-0001.txt", "0008-c2s-0001.txt.txt", INDEX, "kept.txt"];
        assert_eq!(files(&folder), left);
        assert_eq!(files(outer.path()), ["0009-c2s-0001.txt", "export"]);
    }

    #[test]
    fn every_name_that_is_made_is_known_again() {
        for kind in MessageKind::ALL {
            for complete in [true, false] {
                let message = Message { kind, complete, ..samples::text(b"x") };
                for no in [1, 123_456] {
                    let name = name(ConnNo(no), &message);
                    assert!(is_ours(&name), "{name}");
                }
            }
        }
    }
}
