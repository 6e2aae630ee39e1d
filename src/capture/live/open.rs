//! Interfaces opened, with what to do when that fails.
//!
//! Gets: a name and [`LiveOptions`]. Gives: a running capture of libpcap with its filter set, or an
//! error that says who may, what there is, or where the filter is wrong.

use ::pcap::{Active, Capture};

use super::LiveOptions;
use crate::capture::{CaptureError, LinkType, interfaces};

/// Opens an interface and sets its filter.
pub(super) fn activate(name: &str, options: &LiveOptions) -> Result<Capture<Active>, CaptureError> {
    let loopback = interfaces::is_loopback(name);
    let promiscuous = options.promiscuous && !loopback && name != "any";
    let size = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let millis = i32::try_from(options.latency.as_millis()).unwrap_or(i32::MAX);
    let failed = |error| open_error(name, &error);
    let inactive = Capture::from_device(name).map_err(failed)?;
    let inactive = inactive
        .snaplen(size(options.snaplen as usize))
        .buffer_size(size(options.buffer_bytes))
        .promisc(promiscuous)
        .timeout(millis.max(1));
    let inactive = if NANOSECONDS { inactive.precision(::pcap::Precision::Nano) } else { inactive };
    let mut capture = inactive.open().map_err(failed)?;
    if name == "any" {
        // The newer header tells which interface it was; where it is missing the older one does.
        let _ = capture.set_datalink(::pcap::Linktype(SLL2));
    }
    set_filter(&mut capture, options.filter.as_deref())?;
    if cfg!(unix) { capture.setnonblock().map_err(failed) } else { Ok(capture) }
}

/// Opens an interface only to see whether that can be done.
pub(in crate::capture) fn try_open(name: &str) -> Result<(), CaptureError> {
    let failed = |error| open_error(name, &error);
    let inactive = Capture::from_device(name).map_err(failed)?;
    inactive.snaplen(64).buffer_size(1 << 16).open().map_err(failed).map(drop)
}

fn open_error(name: &str, error: &::pcap::Error) -> CaptureError {
    let name = name.to_owned();
    let message = message(error);
    let lower = message.to_lowercase();
    if ["permission", "not permitted", "cap_net_raw"].iter().any(|p| lower.contains(p)) {
        return CaptureError::Permission { name };
    }
    let have = interfaces::names();
    if !have.contains(&name) && name != "any" {
        return CaptureError::NoInterface { name, have };
    }
    CaptureError::Interface { name, message }
}

/// libpcap's own words.
pub(in crate::capture) fn message(error: &::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(text) if text.is_empty() => "no reason given".to_owned(),
        ::pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Is this a capture filter, as far as that can be said without an interface.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check_filter(expression: &str) -> Result<(), CaptureError> {
    let expression = expression.trim();
    let failed = |error: ::pcap::Error| CaptureError::Filter {
        expression: expression.to_owned(),
        message: message(&error),
        column: None,
    };
    let capture = Capture::dead(::pcap::Linktype::ETHERNET).map_err(failed)?;
    let compiled = capture.compile(expression, true).map(drop);
    compiled.map_err(|error| filter_error(&capture, expression, &error))
}

/// Compiles the filter into the kernel.
fn set_filter(capture: &mut Capture<Active>, expression: Option<&str>) -> Result<(), CaptureError> {
    let Some(expression) = expression.map(str::trim).filter(|e| !e.is_empty()) else {
        return Ok(());
    };
    // On loopback each packet is in the kernel's buffer twice, going out and coming in, and libpcap
    // drops the first copy. `and inbound` would keep it out of the buffer, but libpcap applies a new
    // filter by itself to the first block, where it does not know directions, and loses that block.
    capture.filter(expression, true).map_err(|error| filter_error(capture, expression, &error))
}

/// libpcap tells what is wrong, but not where: that is behind the longest beginning that it takes.
fn filter_error<T: ::pcap::Activated + ?Sized>(
    capture: &Capture<T>,
    expression: &str,
    error: &::pcap::Error,
) -> CaptureError {
    let message = message(error);
    let quoted = message.split('\'').nth(1).filter(|word| !word.is_empty());
    let at = match quoted.and_then(|word| expression.find(word)) {
        Some(at) => Some(at),
        None => stops_at(expression, |part| capture.compile(part, false).is_ok()),
    };
    let column = at.and_then(|at| expression.get(..at)).map(|before| before.chars().count() + 1);
    CaptureError::Filter { expression: expression.to_owned(), message, column }
}

/// The start of the first word that cannot be in any expression that begins so.
fn stops_at(expression: &str, takes: impl Fn(&str) -> bool) -> Option<usize> {
    let starts = expression.match_indices(char::is_whitespace).map(|(at, _)| at);
    let ends: Vec<_> = starts.take(WORDS).collect();
    let good = ends.iter().rev().find_map(|&end| expression.get(..end).filter(|part| takes(part)));
    let rest = expression.get(good.map_or(0, str::len)..)?;
    Some(expression.len() - rest.trim_start().len())
}

/// `DLT_` numbers, which libpcap uses in memory, to `LINKTYPE_` numbers, which files have. They
/// differ only where systems once disagreed.
pub(super) fn link_type(dlt: i32) -> LinkType {
    LinkType(match dlt {
        11 => 100,
        12 if cfg!(target_os = "openbsd") => 108,
        12 => 101,
        14 if cfg!(target_os = "openbsd") => 101,
        other => u16::try_from(other).unwrap_or_default(),
    })
}

/// Systems on which libpcap gives nanoseconds whatever the interface.
pub(super) const NANOSECONDS: bool = cfg!(target_os = "linux");
/// `DLT_LINUX_SLL2`
const SLL2: i32 = 276;
/// Words of a filter looked at for the place of an error.
const WORDS: usize = 64;
