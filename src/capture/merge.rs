//! Several inputs as one capture, merged by time.
//!
//! Gets: [`FileSource`]s. Gives: their packets, the earliest first, numbered over all of them.
//! Keeps: one found record per input. A packet without a time follows its predecessor; packets of
//! one time come in the order of the inputs. An input of several interfaces is in order already
//! ([`super::reorder`]); no other is put in order within itself.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::file::{FileSource, RawRecord};
use super::input::{Input, Progress};
use super::summary::Summary;
use super::{CaptureError, InterfaceId, Options, PacketRecord, PacketSource};
use crate::limits::Limits;
use crate::units::{PacketNo, Timestamp};

/// Reads several capture files as one.
#[derive(Debug)]
pub struct MergeSource {
    children: Vec<Child>,
    /// Inputs that have a record, by its time and their place.
    queue: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The input whose record was given last: it is read on before the next one is chosen.
    given: Option<usize>,
    /// What went wrong, told when there is nothing more to give.
    errors: VecDeque<CaptureError>,
    /// For each interface of the whole, the input and its interface there.
    interfaces: Vec<(usize, usize)>,
    packets: u64,
    progress: Progress,
    limits: Limits,
    options: Options,
}

#[derive(Debug)]
struct Child {
    input: Input,
    state: State,
    /// Interface numbers over all inputs, by those in this one.
    interfaces: Vec<InterfaceId>,
    /// Time of its record, or of the last that had one.
    time: Timestamp,
}

#[derive(Debug)]
enum State {
    Open(Box<FileSource>, RawRecord),
    /// Its first record is known; opened again when its time comes.
    Asleep,
    Done(Box<Summary>),
}

impl MergeSource {
    /// Opens all inputs.
    ///
    /// # Errors
    /// When none can be opened: the first one's reason.
    pub fn open(
        inputs: &[Input],
        limits: &Limits,
        options: &Options,
    ) -> Result<Self, CaptureError> {
        let share = options.buffer_bytes / inputs.len().clamp(1, AWAKE) + 1;
        let mut merge = Self {
            children: Vec::with_capacity(inputs.len()),
            queue: BinaryHeap::with_capacity(inputs.len()),
            given: None,
            errors: VecDeque::new(),
            interfaces: Vec::new(),
            packets: 0,
            progress: Progress::default(),
            limits: limits.clone(),
            options: Options { buffer_bytes: share.max(MIN_BUFFER), ..options.clone() },
        };
        let mut total = Some(0_u64);
        for input in inputs {
            let size = merge.add(input.clone());
            total = total.zip(size).map(|(sum, size)| sum.saturating_add(size));
        }
        merge.progress = merge.progress.with_total(total);
        let opened = merge
            .children
            .iter()
            .any(|c| !matches!(&c.state, State::Done(s) if s.format.is_none()));
        match merge.errors.pop_front() {
            Some(error) if !opened => Err(error),
            Some(error) => {
                merge.errors.push_front(error);
                Ok(merge)
            }
            None => Ok(merge),
        }
    }

    /// What is known beside the packets, so far, of all inputs.
    pub fn summary(&self) -> Summary {
        let of = |child: &Child| match &child.state {
            State::Open(source, _) => source.summary().clone(),
            State::Done(summary) => Summary::clone(summary),
            State::Asleep => Summary::default(),
        };
        let parts: Vec<_> = self.children.iter().map(of).collect();
        let mut whole = Summary { packets: self.packets, ..Summary::default() };
        for (child, interface) in &self.interfaces {
            let found = parts.get(*child).and_then(|part| part.interfaces.get(*interface));
            whole.interfaces.extend(found.cloned());
        }
        for part in parts {
            whole.format = whole.format.or(part.format);
            whole.compression = whole.compression.or(part.compression);
            whole.application = whole.application.or(part.application);
            whole.hardware = whole.hardware.or(part.hardware);
            whole.os = whole.os.or(part.os);
            whole.bytes = whole.bytes.saturating_add(part.bytes);
            whole.dropped = whole.dropped.saturating_add(part.dropped);
            whole.comments.extend(part.comments);
            whole.secrets.extend(part.secrets);
        }
        whole
    }

    /// How far the reading is, over all inputs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Opens one more; tells its size. Beyond [`AWAKE`] inputs a file is closed again until its
    /// time comes: rotated captures come by the thousand, open files and buffers do not.
    fn add(&mut self, input: Input) -> Option<u64> {
        let place = self.children.len();
        let state = State::Done(Box::default());
        self.children.push(Child {
            input,
            state,
            interfaces: Vec::new(),
            time: Timestamp(i64::MIN),
        });
        let before = self.progress.read();
        let size = self.wake(place);
        let awake = self.children.iter().filter(|c| matches!(c.state, State::Open(..))).count();
        if awake > AWAKE && size.is_some() {
            self.sleep(place, before);
        }
        size
    }

    /// Closes an input that was just opened, for later. What was read of it will be read again.
    fn sleep(&mut self, place: usize, read_before: u64) {
        let Some(child) = self.children.get_mut(place) else { return };
        if matches!(child.state, State::Open(..)) {
            self.progress.uncount(self.progress.read().saturating_sub(read_before));
            child.state = State::Asleep;
        }
    }

    /// Opens an input and finds its first record.
    fn wake(&mut self, place: usize) -> Option<u64> {
        let child = self.children.get_mut(place)?;
        let again = matches!(child.state, State::Asleep);
        let opened =
            FileSource::counting(&child.input, &self.limits, &self.options, &self.progress);
        match opened {
            Ok(mut source) => {
                let size = source.progress().total();
                let found = source.advance();
                self.put(place, Box::new(source), found, again);
                size
            }
            Err(error) => {
                child.state = State::Done(Box::default());
                self.errors.push_back(error);
                None
            }
        }
    }

    /// Takes in what reading on in an input has found.
    fn put(
        &mut self,
        place: usize,
        source: Box<FileSource>,
        found: Result<Option<RawRecord>, CaptureError>,
        queued: bool,
    ) {
        let Some(child) = self.children.get_mut(place) else { return };
        let raw = match found {
            Ok(Some(raw)) => raw,
            ended => {
                self.errors.extend(ended.err());
                child.state = State::Done(Box::new(source.summary().clone()));
                return;
            }
        };
        while child.interfaces.len() < source.summary().interfaces.len() {
            let id = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
            self.interfaces.push((place, child.interfaces.len()));
            child.interfaces.push(InterfaceId(id));
        }
        child.time = raw.time.unwrap_or(child.time);
        child.state = State::Open(source, raw);
        if !queued {
            self.queue.push(Reverse((child.time, place)));
        }
    }

    /// Reads on in the input whose record was given last.
    fn read_on(&mut self) {
        let Some(place) = self.given.take() else { return };
        let Some(child) = self.children.get_mut(place) else { return };
        let state = std::mem::replace(&mut child.state, State::Asleep);
        if let State::Open(mut source, _) = state {
            let found = source.advance();
            self.put(place, source, found, false);
        } else {
            child.state = state;
        }
    }

    /// The input with the earliest record, awake.
    fn earliest(&mut self) -> Option<usize> {
        while let Some(Reverse((_, place))) = self.queue.pop() {
            if let Some(Child { state: State::Asleep, .. }) = self.children.get(place) {
                self.wake(place);
            }
            if let Some(Child { state: State::Open(..), .. }) = self.children.get(place) {
                return Some(place);
            }
        }
        None
    }
}

impl PacketSource for MergeSource {
    fn next(&mut self) -> Result<Option<PacketRecord<'_>>, CaptureError> {
        self.read_on();
        let Some(place) = self.earliest() else {
            return self.errors.pop_front().map_or(Ok(None), Err);
        };
        self.given = Some(place);
        let Some(child) = self.children.get(place) else { return Ok(None) };
        let State::Open(source, raw) = &child.state else { return Ok(None) };
        self.packets += 1;
        let interface = child.interfaces.get(raw.interface.0 as usize).copied();
        Ok(Some(PacketRecord {
            no: PacketNo(self.packets),
            interface: interface.unwrap_or_default(),
            ..source.record(raw)
        }))
    }
}

/// Inputs that are kept open at a time.
const AWAKE: usize = 64;
/// Less makes system calls count.
const MIN_BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::samples;
    use super::*;

    /// A nanosecond pcap with a packet for each time; its one byte is `mark`.
    fn file(mark: u8, times: &[u32]) -> tempfile::NamedTempFile {
        let mut bytes = vec![
            0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0,
        ];
        for time in times {
            bytes.extend([0, 0, 0, 0]);
            bytes.extend(time.to_le_bytes());
            bytes.extend([1, 0, 0, 0, 1, 0, 0, 0, mark]);
        }
        written(&bytes)
    }

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn inputs(files: &[tempfile::NamedTempFile]) -> Vec<Input> {
        files.iter().map(|f| Input::Path(f.path().to_owned())).collect()
    }

    fn marks(inputs: &[Input]) -> (Vec<(u64, u8, u32)>, Vec<CaptureError>) {
        let mut source =
            MergeSource::open(inputs, &Limits::default(), &Options::default()).unwrap();
        let (mut marks, mut errors) = (Vec::new(), Vec::new());
        loop {
            match source.next() {
                Ok(Some(r)) => marks.push((r.no.0, r.bytes[0], r.interface.0)),
                Ok(None) => break,
                Err(error) => errors.push(error),
            }
        }
        assert!(source.next().unwrap().is_none());
        (marks, errors)
    }

    #[test]
    fn packets_come_by_time_and_equal_times_in_the_order_of_the_inputs() {
        let files = [file(b'a', &[10, 20, 40]), file(b'b', &[10, 30]), file(b'c', &[5])];
        let (found, errors) = marks(&inputs(&files));
        let want =
            [(1, b'c', 2), (2, b'a', 0), (3, b'b', 1), (4, b'a', 0), (5, b'b', 1), (6, b'a', 0)];
        assert_eq!(found, want);
        assert!(errors.is_empty());
    }

    #[test]
    fn a_clock_that_goes_back_does_not_reorder_its_own_file() {
        let files = [file(b'a', &[100, 10, 200]), file(b'b', &[50, 150])];
        let order: Vec<_> = marks(&inputs(&files)).0.iter().map(|m| m.1).collect();
        assert_eq!(order, *b"baaba");
    }

    #[test]
    fn an_input_of_several_interfaces_is_put_in_order_first() {
        use samples::{SECTION, block};
        let interface = block(1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0]);
        let packet = |interface: u8, time: u8, mark: u8| {
            block(6, &[interface, 0, 0, 0, 0, 0, 0, 0, time, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, mark])
        };
        let batches = [packet(0, 10, 1), packet(0, 30, 3), packet(1, 20, 2), packet(1, 40, 4)];
        let several = [&SECTION[..], &interface, &interface, &batches.concat()].concat();
        let files = [file(b'a', &[15, 25]), written(&several)];
        let (found, errors) = marks(&inputs(&files));
        let want = [(1, 1, 1), (2, b'a', 0), (3, 2, 2), (4, b'a', 0), (5, 3, 1), (6, 4, 2)];
        assert_eq!(found, want);
        assert!(errors.is_empty());
    }

    #[test]
    fn packets_without_time_follow_their_predecessor() {
        let timeless = samples::timeless(&[1, 2, 3]);
        let files = [file(b'a', &[10, 20]), written(&timeless)];
        let order: Vec<_> = marks(&inputs(&files)).0.iter().map(|m| m.1).collect();
        assert_eq!(order, [1, 2, 3, b'a', b'a']);
    }

    #[test]
    fn an_input_that_fails_tells_so_after_the_others_are_read() {
        let whole = std::fs::read(file(b'x', &[15, 25, 35]).path()).unwrap();
        let files = [file(b'a', &[10, 30]), written(&whole[..24 + 17 + 5]), written(b"no capture")];
        let (found, errors) = marks(&inputs(&files));
        assert_eq!(found.iter().map(|m| m.1).collect::<Vec<_>>(), *b"axa");
        assert!(matches!(errors[0], CaptureError::NotCapture { .. }));
        assert!(matches!(errors[1], CaptureError::Truncated { packet: PacketNo(2), .. }));
        assert_eq!(errors.len(), 2);
    }

    #[test]
    fn nothing_that_opens_is_an_error_at_once() {
        let all = ["no-such-1", "no-such-2"].map(Input::from);
        let error = MergeSource::open(&all, &Limits::default(), &Options::default()).unwrap_err();
        assert!(error.to_string().starts_with("cannot open no-such-1: No such file"), "{error}");
    }

    #[test]
    fn hundreds_of_rotated_files_are_read_with_few_open_at_a_time() {
        let times = |i: u32| [i * 10, i * 10 + 1, i * 10 + 15];
        let files: Vec<_> = (0..300).map(|i| file(b'r', &times(i))).collect();
        let all = inputs(&files);
        let mut source = MergeSource::open(&all, &Limits::default(), &Options::default()).unwrap();
        let open = source.children.iter().filter(|c| matches!(c.state, State::Open(..))).count();
        assert_eq!(open, AWAKE);
        let mut last = 0;
        let mut count = 0;
        while let Some(record) = source.next().unwrap() {
            let time = record.time.unwrap().0;
            assert!(time >= last);
            last = time;
            count += 1;
        }
        assert_eq!(count, 900);
        let size: u64 = 300 * (24 + 3 * 17);
        assert_eq!((source.progress().read(), source.progress().total()), (size, Some(size)));
        assert_eq!(source.summary().packets, 900);
    }
}
