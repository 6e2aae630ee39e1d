//! Handshake messages, split over records or joined in one (RFC 8446 section 5.1).
//!
//! Gets: contents of handshake records. Gives: the messages that say something about keys. Keeps: one
//! of those, unfinished, of at most [`MOST`] bytes; certificates and the like are skipped by length.

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const END_OF_EARLY_DATA: u8 = 5;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;

/// A hello with all its post-quantum key shares has a few KB.
const MOST: usize = 64 << 10;

/// One side's handshake messages.
#[derive(Debug)]
pub(super) struct Messages {
    /// Type and length, as far as they came, then the message, if it is wanted.
    begun: Vec<u8>,
    /// Bytes of the message that are not wanted, and still to come.
    skip: usize,
    /// Bytes were lost, so that nobody knows where the next message begins.
    lost: bool,
}

impl Messages {
    pub(super) const fn new() -> Self {
        Self { begun: Vec::new(), skip: 0, lost: false }
    }

    /// Gives the wanted messages that are whole now: type and body.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(u8, &[u8])) {
        while !self.lost && !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let needs = self.needs();
            let (now, later) = bytes.split_at_checked(needs).unwrap_or((bytes, &[]));
            self.begun.extend_from_slice(now);
            bytes = later;
            let Some((&[kind, long, mid, short], body)) = self.begun.split_first_chunk::<4>()
            else {
                continue;
            };
            let len = usize::try_from(u32::from_be_bytes([0, long, mid, short])).unwrap_or(MOST);
            if !is_wanted(kind) || len > MOST {
                self.skip = len;
                self.begun.clear();
            } else if body.len() >= len {
                take(kind, body);
                self.begun.clear();
            }
        }
    }

    /// Bytes still needed to get on with the message at hand: its head, then its body.
    fn needs(&self) -> usize {
        match self.begun.first_chunk::<4>() {
            None => 4 - self.begun.len(),
            Some(&[_, long, mid, short]) => {
                let len = usize::try_from(u32::from_be_bytes([0, long, mid, short])).unwrap_or(0);
                (4 + len).saturating_sub(self.begun.len())
            }
        }
    }

    /// So many bytes are missing.
    pub(super) fn lose(&mut self, bytes: usize) {
        if bytes > 0 && bytes <= self.skip {
            self.skip -= bytes;
        } else {
            self.lost = true;
        }
    }

    /// Other keys: a message begins (RFC 8446 section 5.1).
    pub(super) fn renew(&mut self) {
        *self = Self::new();
    }

    /// A message is at hand of which not all came.
    pub(super) fn is_amid(&self) -> bool {
        self.lost || self.skip > 0 || !self.begun.is_empty()
    }
}

const fn is_wanted(kind: u8) -> bool {
    matches!(
        kind,
        CLIENT_HELLO
            | SERVER_HELLO
            | END_OF_EARLY_DATA
            | ENCRYPTED_EXTENSIONS
            | FINISHED
            | KEY_UPDATE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_split_anywhere_and_joined_are_the_same() {
        let mut all = vec![2, 0, 0, 3, 7, 8, 9];
        // A certificate, which nobody asks for, and an empty EndOfEarlyData.
        all.extend([11, 0, 1, 0]);
        all.extend([20; 256]);
        all.extend([5, 0, 0, 0, 20, 0, 0, 1, 4]);
        for cut in 0..all.len() {
            let mut messages = Messages::new();
            let mut got = Vec::new();
            for part in [&all[..cut], &all[cut..]] {
                messages.push(part, |kind, body| got.push((kind, body.to_vec())));
            }
            assert_eq!(got, [(2, vec![7, 8, 9]), (5, vec![]), (20, vec![4])], "{cut}");
            assert!(!messages.is_amid());
        }
    }

    #[test]
    fn a_certificate_with_a_hole_is_still_skipped() {
        let mut messages = Messages::new();
        let mut got = Vec::new();
        messages.push(&[11, 0, 1, 0, 1, 2, 3], |kind, _| got.push(kind));
        messages.lose(200);
        messages.push(&[9; 53], |kind, _| got.push(kind));
        messages.push(&[20, 0, 0, 0], |kind, _| got.push(kind));
        assert_eq!(got, [20]);
        messages.lose(1);
        messages.push(&[20, 0, 0, 0], |kind, _| got.push(kind));
        assert_eq!(got, [20], "nobody knows what that is");
    }
}
