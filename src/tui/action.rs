//! What can be done, by a [key](super::keys), the mouse or a command.

use super::edit::Edit;

/// What a key, the mouse or a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Leaves the program; asks first when something would be lost.
    Quit,
    /// Out of what was entered last.
    Back,
    /// Into what is selected.
    Enter,
    /// The list of all keys.
    Help,
    /// Another screen.
    Show(View),
    /// The next pane.
    NextPane,
    /// The pane before.
    PrevPane,
    /// The selection moves.
    Move(Motion),
    /// A mark is set or taken away.
    Mark,
    /// All marks go.
    ClearMarks,
    /// Types a display filter.
    Filter,
    /// The filter goes.
    ClearFilter,
    /// The selected field becomes the filter.
    FilterField,
    /// Types what to search for.
    Search,
    /// The next place that the search found.
    NextFound,
    /// The one before.
    PrevFound,
    /// Types a number to go to.
    Goto,
    /// Types a command.
    Command,
    /// The next row with a note.
    NextNote,
    /// The one before.
    PrevNote,
    /// Another way to write times.
    Times,
    /// Stays at the end while rows come.
    Follow,
    /// Hides or shows pings, pongs and keep-alives.
    Heartbeats,
    /// All connections, or only that of the selected row.
    Scope,
    /// Shows the frames of a message, or hides them.
    Frames,
    /// Compares two messages.
    Compare,
    /// What the selected alteration means.
    Explain,
    /// To one of the two messages that are compared: 0 the left one, 1 the right one.
    Side(usize),
    /// Compares the legs anew.
    Again,
    /// Sorts by the next column.
    Sort,
    /// Sorts the other way round.
    Reverse,
    /// Another way to show the payload.
    Payload,
    /// Strings of JSON as they are meant, or as they are sent.
    Unescape,
    /// Copies something.
    Copy(Copied),
    /// Types a file name for the payload.
    SavePayload,
    /// Types a file name for the marked connections.
    SaveConnections,
    /// Ends loading; what came so far stays.
    StopLoading,
    /// The screen stands still, or shows again what comes.
    Pause,
    /// The list begins now.
    Clear,
    /// Everything begins now.
    Restart,
    /// What is known of the capture: drops, interfaces, files.
    Capture,
    /// Other colours.
    Theme,
    /// The pane gets the whole screen, or gives it back.
    Zoom,
    /// Stops the program, for a shell.
    Suspend,
    /// Changes the line that is typed.
    Edit(Edit),
    /// Puts text into the line that is typed.
    Paste(String),
    /// Takes the line.
    Accept,
    /// Completes the word, or changes the kind of search.
    Complete,
    /// An earlier line (`true`), or a later one.
    History(bool),
    /// The mouse.
    Mouse(Mouse),
    /// Nothing but drawing anew: time passed, or the size changed.
    Tick,
}

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All connections.
    Connections,
    /// Messages, and one in detail.
    Messages,
    /// The opening handshake of a connection.
    Handshake,
    /// The ladder of a connection.
    Sequence,
    /// Numbers.
    Statistics,
    /// What a proxy altered between its legs.
    Legs,
    /// Two messages beside each other; from another view only.
    Compare,
}

impl View {
    /// Those with a tab, in the order of their keys.
    pub const ALL: [Self; 6] = [
        Self::Connections,
        Self::Messages,
        Self::Handshake,
        Self::Sequence,
        Self::Statistics,
        Self::Legs,
    ];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::Messages => "Messages",
            Self::Handshake => "Handshake",
            Self::Sequence => "Sequence",
            Self::Statistics => "Statistics",
            Self::Legs => "Legs",
            Self::Compare => "Compare",
        }
    }

    /// The same where there is less room.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Connections => "Conns",
            Self::Statistics => "Stats",
            other => other.title(),
        }
    }
}

/// How far and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One up.
    Up,
    /// One down.
    Down,
    /// To the left: folds, or scrolls.
    Left,
    /// To the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// The payload: text as it is, anything else in hexadecimal digits.
    Payload,
    /// The row as NDJSON.
    Row,
    /// The handshake as a curl command.
    Curl,
    /// The connection as a websocat command.
    Websocat,
    /// The selected field's value.
    Field,
}

/// What the mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    /// The left button went down.
    Click(u16, u16),
    /// It moved, held down.
    Drag(u16, u16),
    /// It was released.
    Release,
    /// The wheel turned up.
    WheelUp(u16, u16),
    /// The wheel turned down.
    WheelDown(u16, u16),
}

/// Commands for `:`, their arguments and what they do.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("filter", "EXPRESSION", "apply a display filter"),
    ("goto", "NUMBER", "go to a row; p12: to packet 12"),
    ("theme", "NAME", "dark, light, colour-blind or plain"),
    ("save", "FILE", "save the marked connections as pcapng"),
    ("write", "FILE", "save the selected payload"),
    ("copy", "WHAT", "payload, row, field, curl or websocat"),
    (
        "sort",
        "COLUMN",
        "sort the connections: no, client, server, path, messages, bytes, duration, notes",
    ),
    ("legs", "", "what a proxy altered between its legs"),
    ("diff", "", "the same"),
    ("compare", "ROW ROW", "two messages beside each other"),
    ("explain", "CODE", "what a note means"),
    ("pause", "", "the screen stands still, what comes is held; again: go on"),
    ("clear", "", "the list begins now; the recording keeps everything"),
    ("restart", "", "list and recording begin now"),
    ("capture", "", "packets, drops, interfaces, files"),
    ("stop", "", "stop loading or capturing"),
    ("help", "", "all keys"),
    ("quit", "", "quit; quit! does not ask"),
];
