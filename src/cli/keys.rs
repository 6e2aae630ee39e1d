//! Secrets for TLS: the file of --keylog, and what captures bring along.
//!
//! Gets: options, blocks of secrets as they are read. Gives: the [`KeyLog`] of a run; and the blocks, to
//! be copied where packets are.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::CliError;
use super::options::{From, ReadOptions};
use super::screen::complain;
use crate::capture::{Input, Secrets, SecretsListener};
use crate::sink::escape::Escaped;
use crate::tls::KeyLog;
use crate::units::PacketNo;

/// The most that is read of a key log at once: that of weeks.
const MOST: u64 = 1 << 30;

/// The secrets of a run; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// What TLS is read with.
    pub(super) log: KeyLog,
    /// What the capture brought, as it was.
    brought: Arc<(AtomicUsize, Mutex<Vec<Secrets>>)>,
}

impl Keys {
    /// Is given the secrets of a capture. Its own reader hands over each packet before it reads what is
    /// behind it.
    pub(super) fn listener(&self) -> SecretsListener {
        let keys = self.clone();
        SecretsListener(Arc::new(move |secrets: &Secrets| {
            keys.keep(secrets);
            keys.learn(secrets, PacketNo(0));
        }))
    }

    /// The same where packets are read ahead: they are only kept.
    pub(super) fn listener_ahead(&self) -> SecretsListener {
        let keys = self.clone();
        SecretsListener(Arc::new(move |secrets: &Secrets| keys.keep(secrets)))
    }

    fn keep(&self, secrets: &Secrets) {
        self.blocks().push(secrets.clone());
        self.brought.0.fetch_add(1, Ordering::Release);
    }

    /// Reads TLS with these secrets from the packet `since` on.
    pub(super) fn learn(&self, secrets: &Secrets, since: PacketNo) {
        if secrets.kind == Secrets::TLS_KEY_LOG {
            self.log.add(&secrets.data, since);
        }
    }

    /// The blocks that came behind the first `known`, and counts them.
    pub(super) fn behind(&self, known: &mut usize) -> Vec<Secrets> {
        if self.brought.0.load(Ordering::Acquire) == *known {
            return Vec::new();
        }
        let blocks = self.blocks();
        let new = blocks.get(*known..).unwrap_or_default().to_vec();
        *known = blocks.len();
        new
    }

    fn blocks(&self) -> MutexGuard<'_, Vec<Secrets>> {
        self.brought.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the file of --keylog: whole before the first packet, and on, where the capture goes on too.
pub(super) fn load(options: &ReadOptions) -> Result<(), CliError> {
    let log = &options.keys.log;
    let Some(path) = &options.keylog else { return Ok(()) };
    let cannot = |source| CliError::KeyLog { path: path.clone(), source };
    let grows = !is_stored(&options.from);
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => drop(file.take(MOST).read_to_end(&mut text).map_err(cannot)?),
        // A browser makes it when it first has something to write.
        Err(error) if grows && error.kind() == io::ErrorKind::NotFound => {
            complain(&format!("wstap: --keylog: waiting for {}", shown(path)));
        }
        Err(error) => return Err(cannot(error)),
    }
    let read = log.add(&text, PacketNo(0));
    if grows {
        log.follow(path.clone());
    }
    if read.secrets == 0 && (!grows || read.others > 0) {
        complain(&format!(
            "wstap: --keylog: {} has no TLS secrets\n  its lines should begin with CLIENT_RANDOM or \
             CLIENT_TRAFFIC_SECRET_0, as a client writes them that is started with SSLKEYLOGFILE",
            shown(path)
        ));
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    Escaped(&path.display().to_string()).to_string()
}

/// Is all of it there already, and its clients have written down their secrets.
fn is_stored(from: &From) -> bool {
    let From::Inputs(inputs) = from else { return false };
    inputs.iter().all(|input| match input {
        Input::Path(path) => path.metadata().is_ok_and(|metadata| metadata.is_file()),
        Input::Stdin => false,
    })
}
