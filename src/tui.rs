//! The terminal UI: Wireshark's panes, sngrep's ladder, for WebSockets.
//!
//! Gets: a store that another thread fills ([`crate::store`]), and keys. Gives: a screen. Keeps: what
//! [`app::App`] keeps, and the terminal as it was found.
//!
//! ```text
//!  packets -> a run into store::Writer (loading thread; the same run as that of any command)
//!                   | rows, spool
//!  keys -> keys::of_key -> App::update -> Effect -> clipboard, files
//!                               | &App
//!                          view::draw -> terminal
//!
//!  rows, spool -> legs::Comparer (its own thread) -> crate::diff -> which connections are legs
//! ```

pub mod action;
pub mod app;
pub mod compare;
pub mod cursor;
pub mod detail;
pub mod edit;
pub mod export;
pub mod keys;
pub mod legs;
pub mod load;
pub mod pick;
pub mod run;
pub mod stats;
pub mod svg;
pub mod tape;
pub mod text;
pub mod theme;
pub mod view;

pub use pick::{Choice, Picker};
pub use run::{Ended, Session, TuiError, choose, run};
