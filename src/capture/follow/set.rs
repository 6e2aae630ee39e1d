//! Sets of capture files, by their names.
//!
//! Gets: the path of a file. Gives: the path of the one that was begun after it.
//!
//! | written by | names |
//! |---|---|
//! | `dumpcap -b`, `wstap -b` | `cap_00001_20261122160102.pcapng`, `cap_00002_20261122160202.pcapng` |
//! | `tcpdump -C` | `cap.pcap`, `cap.pcap1`, `cap.pcap2`; with `-W`: `cap.pcap00`, `cap.pcap01` |

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file of the same set that was begun after this one, if it is there.
pub fn next_of_set(path: &Path) -> Option<PathBuf> {
    match Ringed::of(path) {
        Some(this) => {
            let after = siblings(path).filter_map(|p| Some((Ringed::of(&p)?, p)));
            // The number starts anew after 99999, the time does not.
            let after = after.filter(|(other, _)| {
                (&other.prefix, &other.suffix) == (&this.prefix, &this.suffix)
                    && (other.time, other.number) > (this.time, this.number)
            });
            after.min_by_key(|(other, _)| (other.time, other.number)).map(|(_, path)| path)
        }
        None => next_counted(path),
    }
}

/// The file itself, or, where it is not there, the first one of the set of that name.
pub(super) fn first(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let (Some(stem), suffix) = (path.file_stem().and_then(|s| s.to_str()), suffix(path)) else {
        return path.to_owned();
    };
    let named = siblings(path).filter_map(|p| Some((Ringed::of(&p)?, p)));
    let named = named.filter(|(ringed, _)| ringed.prefix == stem && ringed.suffix == suffix);
    let first = named.min_by_key(|(ringed, _)| (ringed.time, ringed.number));
    first.map_or_else(|| path.to_owned(), |(_, path)| path)
}

fn suffix(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).map_or_else(String::new, |e| format!(".{e}"))
}

/// A name of dumpcap's: `PREFIX_00001_20261122160102.SUFFIX`.
#[derive(Debug, PartialEq, Eq)]
struct Ringed {
    prefix: String,
    number: u64,
    time: u64,
    suffix: String,
}

impl Ringed {
    fn of(path: &Path) -> Option<Self> {
        let (stem, suffix) = (path.file_stem()?.to_str()?, suffix(path));
        let (front, time) = stem.rsplit_once('_')?;
        let (prefix, number) = front.rsplit_once('_')?;
        if time.len() != 14 || number.len() < 5 {
            return None;
        }
        Some(Self {
            prefix: prefix.to_owned(),
            number: digits(number)?,
            time: digits(time)?,
            suffix,
        })
    }
}

/// `cap.pcap` to `cap.pcap1`, when that is there and not older.
fn next_counted(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // Digits behind anything else are somebody's own naming.
    if ![".pcap", ".pcapng", ".cap"].iter().any(|end| base.ends_with(end)) {
        return None;
    }
    let count = name.get(base.len()..)?;
    let next = digits(count).unwrap_or(0).checked_add(1)?;
    let next = path.with_file_name(format!("{base}{next:0width$}", width = count.len()));
    let changed = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    (changed(&next)? >= changed(path)?).then_some(next)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What lies in the same folder.
fn siblings(path: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.to_owned();
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    entries.map(move |entry| folder.join(entry.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, names: &[&str]) {
        for name in names {
            std::fs::write(dir.join(name), "").unwrap();
        }
    }

    #[test]
    fn the_next_file_of_dumpcaps_set_has_the_next_number_and_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        touch(
            dir.path(),
            &[
                "cap_00001_20261122160102.pcapng",
                "cap_00002_20261122160202.pcapng",
                "cap_00003_20261122160302.pcapng",
                "cap_00004_20261122160402.pcap",
                "other_00004_20261122160402.pcapng",
            ],
        );
        let next = |name: &str| next_of_set(&path(name));
        let second = path("cap_00002_20261122160202.pcapng");
        assert_eq!(next("cap_00001_20261122160102.pcapng"), Some(second));
        assert_eq!(next("cap_00003_20261122160302.pcapng"), None);
        assert_eq!(next("cap.pcapng"), None);
        assert_eq!(first(&path("cap.pcapng")), path("cap_00001_20261122160102.pcapng"));
        assert_eq!(first(&path("none.pcapng")), path("none.pcapng"));
        touch(dir.path(), &["cap.pcapng"]);
        assert_eq!(first(&path("cap.pcapng")), path("cap.pcapng"));
    }

    #[test]
    fn numbers_that_start_anew_follow_by_time() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["c_99999_20261122160102", "c_00000_20261122160202"]);
        let next = next_of_set(&dir.path().join("c_99999_20261122160102"));
        assert_eq!(next, Some(dir.path().join("c_00000_20261122160202")));
    }

    #[test]
    fn the_next_file_of_tcpdump_has_the_next_count() {
        let dir = tempfile::tempdir().unwrap();
        touch(
            dir.path(),
            &["a.pcap", "a.pcap1", "b.pcap08", "b.pcap09", "b.pcap10", "run1", "run2"],
        );
        let next = |name: &str| {
            let next = next_of_set(&dir.path().join(name))?;
            Some(next.file_name()?.to_str()?.to_owned())
        };
        assert_eq!(next("a.pcap").as_deref(), Some("a.pcap1"));
        assert_eq!(next("a.pcap1"), None);
        assert_eq!(next("b.pcap08").as_deref(), Some("b.pcap09"));
        assert_eq!(next("b.pcap09").as_deref(), Some("b.pcap10"));
        assert_eq!(next("run1"), None);
    }
}
