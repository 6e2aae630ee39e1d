//! Keys: what each does and where, in one table for the keyboard, the bottom bar and the help.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Copied, Motion, View};
use super::edit::Edit;

/// Where a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// In the list of connections.
    Connections,
    /// In the list of messages, and the ladder.
    Messages,
    /// In the tree, the payload.
    Detail,
    /// In the handshake.
    Handshake,
    /// Where interfaces are chosen.
    Interfaces,
    /// In the legs of a proxy.
    Legs,
    /// In two messages compared.
    Compare,
}

/// A row of the table of keys.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The keys.
    pub keys: &'static [Key],
    /// Where they count.
    pub places: &'static [Place],
    /// What they do.
    pub action: Action,
    /// A word for the bottom bar, where it is one of the keys that matter.
    pub bar: &'static str,
    /// What it does, for the help.
    pub help: &'static str,
}

/// A key with what is held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub KeyCode, pub KeyModifiers);

impl Key {
    const fn char(c: char) -> Self {
        Self(KeyCode::Char(c), KeyModifiers::NONE)
    }

    const fn ctrl(c: char) -> Self {
        Self(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    const fn plain(code: KeyCode) -> Self {
        Self(code, KeyModifiers::NONE)
    }

    /// As a keyboard has it: `Ctrl-F`, `PgUp`, `]`.
    pub fn name(&self) -> String {
        let code = match self.0 {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.1.contains(KeyModifiers::CONTROL) => {
                c.to_ascii_uppercase().to_string()
            }
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            other => other.to_string(),
        };
        if self.1.contains(KeyModifiers::CONTROL) { format!("Ctrl-{code}") } else { code }
    }

    fn is(&self, event: &KeyEvent) -> bool {
        // A character says by itself whether Shift was held.
        let shift = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => KeyModifiers::SHIFT,
            _ => KeyModifiers::NONE,
        };
        self.0 == event.code && self.1 == event.modifiers.difference(shift)
    }
}

/// What a key does in a place; what counts there alone goes before what counts everywhere.
pub fn of_key(event: &KeyEvent, place: Place) -> Option<Action> {
    let bound = |wanted: Place| {
        KEYS.iter()
            .filter(|binding| binding.places.contains(&wanted))
            .find(|binding| binding.keys.iter().any(|key| key.is(event)))
    };
    bound(place).or_else(|| bound(Place::Anywhere)).map(|binding| binding.action.clone())
}

/// What a key does while a line is typed.
pub fn of_typing(event: &KeyEvent) -> Option<Action> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Enter => Action::Accept,
        KeyCode::Esc => Action::Back,
        KeyCode::Tab => Action::Complete,
        KeyCode::Up => Action::History(true),
        KeyCode::Down => Action::History(false),
        KeyCode::Left => Action::Edit(Edit::Left),
        KeyCode::Right => Action::Edit(Edit::Right),
        KeyCode::Home => Action::Edit(Edit::Home),
        KeyCode::End => Action::Edit(Edit::End),
        KeyCode::Backspace => Action::Edit(Edit::Backspace),
        KeyCode::Delete => Action::Edit(Edit::Delete),
        KeyCode::Char('c' | 'g') if control => Action::Back,
        KeyCode::Char('a') if control => Action::Edit(Edit::Home),
        KeyCode::Char('e') if control => Action::Edit(Edit::End),
        KeyCode::Char('w' | 'h') if control => Action::Edit(Edit::DeleteWord),
        KeyCode::Char('u') if control => Action::Edit(Edit::DeleteToStart),
        KeyCode::Char('k') if control => Action::Edit(Edit::DeleteToEnd),
        KeyCode::Char(c) if !control && !event.modifiers.contains(KeyModifiers::ALT) => {
            Action::Edit(Edit::Insert(c))
        }
        _ => return None,
    })
}

use Motion as M;
use Place as P;

const EVERYWHERE: &[Place] = &[P::Anywhere];

const fn key(
    keys: &'static [Key],
    places: &'static [Place],
    action: Action,
    bar: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, places, action, bar, help }
}

/// Every key. The order is that of the help; the first keys of each are the ones shown.
pub const KEYS: &[Binding] = &[
    key(
        &[Key::plain(KeyCode::F(1)), Key::char('?')],
        EVERYWHERE,
        Action::Help,
        "Help",
        "this help",
    ),
    key(
        &[Key::plain(KeyCode::F(2)), Key::char('1')],
        EVERYWHERE,
        Action::Show(View::Connections),
        "Conns",
        "connections",
    ),
    key(
        &[Key::plain(KeyCode::F(3)), Key::char('2')],
        EVERYWHERE,
        Action::Show(View::Messages),
        "Msgs",
        "messages",
    ),
    key(
        &[Key::plain(KeyCode::F(4)), Key::char('3')],
        EVERYWHERE,
        Action::Show(View::Handshake),
        "Handshk",
        "handshake of the selected connection",
    ),
    key(
        &[Key::plain(KeyCode::F(5)), Key::char('4')],
        EVERYWHERE,
        Action::Show(View::Sequence),
        "Ladder",
        "sequence: the ladder of the selected connection",
    ),
    key(
        &[Key::plain(KeyCode::F(6)), Key::char('5')],
        EVERYWHERE,
        Action::Show(View::Statistics),
        "Stats",
        "statistics of the marked connections, or all",
    ),
    key(
        &[Key::char('d'), Key::char('6'), Key::plain(KeyCode::F(12))],
        EVERYWHERE,
        Action::Show(View::Legs),
        "Legs",
        "legs: what a proxy altered, of two marked connections or of the selected one",
    ),
    key(
        &[Key::char('/'), Key::plain(KeyCode::F(7))],
        EVERYWHERE,
        Action::Filter,
        "Filter",
        "display filter; Tab completes, Enter applies, an empty one shows all",
    ),
    key(
        &[Key::ctrl('f'), Key::plain(KeyCode::F(8))],
        EVERYWHERE,
        Action::Search,
        "Search",
        "search payloads; Tab: text, hex or regular expression",
    ),
    key(&[Key::char('n')], EVERYWHERE, Action::NextFound, "", "next place found"),
    key(&[Key::char('N')], EVERYWHERE, Action::PrevFound, "", "place found before"),
    key(
        &[Key::char(']')],
        EVERYWHERE,
        Action::NextNote,
        "",
        "next row with a note; next difference",
    ),
    key(&[Key::char('[')], EVERYWHERE, Action::PrevNote, "", "the one before"),
    key(
        &[Key::ctrl('g'), Key::char('#')],
        EVERYWHERE,
        Action::Goto,
        "",
        "go to a row by its number; p12: to packet 12",
    ),
    key(&[Key::plain(KeyCode::Up), Key::char('k')], EVERYWHERE, Action::Move(M::Up), "", "up"),
    key(
        &[Key::plain(KeyCode::Down), Key::char('j')],
        EVERYWHERE,
        Action::Move(M::Down),
        "",
        "down",
    ),
    key(
        &[Key::plain(KeyCode::Left), Key::char('h')],
        EVERYWHERE,
        Action::Move(M::Left),
        "",
        "left: fold (a message's frames too), byte back",
    ),
    key(
        &[Key::plain(KeyCode::Right), Key::char('l')],
        EVERYWHERE,
        Action::Move(M::Right),
        "",
        "right: unfold, byte on",
    ),
    key(
        &[Key::plain(KeyCode::PageUp), Key::ctrl('b')],
        EVERYWHERE,
        Action::Move(M::PageUp),
        "",
        "a page up",
    ),
    key(
        &[Key::plain(KeyCode::PageDown), Key::ctrl('d')],
        EVERYWHERE,
        Action::Move(M::PageDown),
        "",
        "a page down",
    ),
    key(
        &[Key::char('g'), Key::plain(KeyCode::Home)],
        EVERYWHERE,
        Action::Move(M::Top),
        "",
        "to the first",
    ),
    key(
        &[Key::char('G'), Key::plain(KeyCode::End)],
        EVERYWHERE,
        Action::Move(M::Bottom),
        "",
        "to the last",
    ),
    key(
        &[Key::plain(KeyCode::Enter)],
        EVERYWHERE,
        Action::Enter,
        "",
        "in: messages of a connection, detail of a message, a field or note whole; unfold",
    ),
    key(
        &[Key::plain(KeyCode::Esc), Key::plain(KeyCode::Backspace)],
        EVERYWHERE,
        Action::Back,
        "",
        "out again",
    ),
    key(
        &[Key::plain(KeyCode::Tab)],
        EVERYWHERE,
        Action::NextPane,
        "Pane",
        "next pane of the messages; elsewhere the next view",
    ),
    key(&[Key::plain(KeyCode::BackTab)], EVERYWHERE, Action::PrevPane, "", "pane or view before"),
    key(
        &[Key::char('z')],
        &[P::Messages, P::Detail],
        Action::Zoom,
        "",
        "the whole screen for this pane, and back",
    ),
    key(
        &[Key::char(' ')],
        &[P::Connections, P::Messages],
        Action::Mark,
        "Mark",
        "mark; marked connections are shown, counted and saved together, two marked messages compared",
    ),
    key(
        &[Key::char('e')],
        &[P::Legs],
        Action::Explain,
        "Explain",
        "what the alteration means, and what to do",
    ),
    key(
        &[Key::char('<')],
        &[P::Legs, P::Compare],
        Action::Side(0),
        "Left",
        "to the message on the left (of the client leg) in the list of messages",
    ),
    key(
        &[Key::char('>')],
        &[P::Legs, P::Compare],
        Action::Side(1),
        "Right",
        "to the message on the right (of the server leg)",
    ),
    key(&[Key::char('r')], &[P::Legs], Action::Again, "", "compare anew, with what came since"),
    key(&[Key::char('M')], EVERYWHERE, Action::ClearMarks, "", "take all marks away"),
    key(&[Key::char('s')], &[P::Connections], Action::Sort, "Sort", "sort by the next column"),
    key(&[Key::char('r')], &[P::Connections], Action::Reverse, "", "sort the other way round"),
    key(
        &[Key::char('c')],
        &[P::Messages],
        Action::Scope,
        "Conn/All",
        "only this row's connection, or all; in a ladder all of its legs",
    ),
    key(
        &[Key::char('t')],
        EVERYWHERE,
        Action::Times,
        "Time",
        "times: relative, delta, clock, date",
    ),
    key(
        &[Key::char('f')],
        EVERYWHERE,
        Action::Follow,
        "",
        "follow: stay at the end while rows come",
    ),
    key(
        &[Key::char('b')],
        EVERYWHERE,
        Action::Heartbeats,
        "",
        "hide heartbeats: pings, pongs, repeated keep-alives",
    ),
    key(
        &[Key::char('p')],
        &[P::Messages, P::Detail, P::Compare],
        Action::Payload,
        "Payload",
        "payload as JSON or text, hex, or as on the wire",
    ),
    key(
        &[Key::char('u')],
        &[P::Detail],
        Action::Unescape,
        "",
        "strings of JSON as they are meant, or as sent",
    ),
    key(
        &[Key::char('a')],
        &[P::Detail, P::Messages],
        Action::FilterField,
        "Apply",
        "apply the selected field as a filter, and mend it",
    ),
    key(&[Key::char('A')], EVERYWHERE, Action::ClearFilter, "", "take the filter away"),
    key(
        &[Key::char('y')],
        &[P::Messages, P::Detail],
        Action::Copy(Copied::Payload),
        "Copy",
        "copy the payload (OSC 52: works over ssh)",
    ),
    key(
        &[Key::char('v')],
        &[P::Detail],
        Action::Copy(Copied::Field),
        "",
        "copy the selected field's value",
    ),
    key(
        &[Key::char('Y')],
        &[P::Messages, P::Detail],
        Action::Copy(Copied::Row),
        "",
        "copy the row as JSON",
    ),
    key(
        &[Key::char('C')],
        EVERYWHERE,
        Action::Copy(Copied::Curl),
        "Curl",
        "copy the handshake as a curl command",
    ),
    key(
        &[Key::char('W')],
        EVERYWHERE,
        Action::Copy(Copied::Websocat),
        "",
        "copy the connection as a websocat command",
    ),
    key(
        &[Key::char('w')],
        &[P::Messages, P::Detail],
        Action::SavePayload,
        "Save",
        "save the payload to a file",
    ),
    key(
        &[Key::char('=')],
        &[P::Messages],
        Action::Compare,
        "Compare",
        "compare two marked messages, or the marked one and the selected one",
    ),
    key(
        &[Key::char('+'), Key::char('-')],
        &[P::Messages],
        Action::Frames,
        "",
        "show the frames of a message that came in several, or hide them",
    ),
    key(
        &[Key::char('S'), Key::plain(KeyCode::F(9))],
        EVERYWHERE,
        Action::SaveConnections,
        "",
        "save the marked connections as pcapng; without marks this one, in their list all listed",
    ),
    key(
        &[Key::char('P')],
        EVERYWHERE,
        Action::Pause,
        "",
        "pause: the screen stands still, what comes is held; again: go on",
    ),
    key(
        &[Key::ctrl('l')],
        EVERYWHERE,
        Action::Clear,
        "",
        "clear the list: it begins now; the recording keeps everything",
    ),
    key(
        &[Key::ctrl('r')],
        EVERYWHERE,
        Action::Restart,
        "",
        "restart: list and recording begin now",
    ),
    key(
        &[Key::char('i')],
        EVERYWHERE,
        Action::Capture,
        "",
        "the capture: packets, drops, interfaces, files",
    ),
    key(&[Key::ctrl('x')], EVERYWHERE, Action::StopLoading, "", "stop loading or capturing"),
    key(
        &[Key::char('T')],
        EVERYWHERE,
        Action::Theme,
        "",
        "colours: dark, light, colour-blind, none",
    ),
    key(&[Key::char(':')], EVERYWHERE, Action::Command, "", "type a command; :help lists them"),
    key(&[Key::ctrl('z')], EVERYWHERE, Action::Suspend, "", "back to the shell; fg returns"),
    key(
        &[Key::plain(KeyCode::Enter)],
        &[P::Interfaces],
        Action::Enter,
        "Start",
        "start: capture on the marked interfaces, or on this one",
    ),
    key(
        &[Key::char(' ')],
        &[P::Interfaces],
        Action::Mark,
        "Mark",
        "mark an interface, or a port: only what goes to and from marked ports is captured",
    ),
    key(
        &[Key::plain(KeyCode::Tab)],
        &[P::Interfaces],
        Action::NextPane,
        "Ports",
        "from the interfaces to the ports on which something listens, and back",
    ),
    key(
        &[Key::char('/'), Key::char('f')],
        &[P::Interfaces],
        Action::Filter,
        "Filter",
        "type a capture filter (BPF): tcp port 8088 and host 10.0.0.7",
    ),
    key(
        &[Key::char('A')],
        &[P::Interfaces],
        Action::ClearFilter,
        "",
        "take the capture filter away, and the marks of ports",
    ),
    key(&[Key::plain(KeyCode::Esc)], &[P::Interfaces], Action::Quit, "", "leave"),
    key(
        &[Key::char('q'), Key::plain(KeyCode::F(10)), Key::ctrl('c')],
        EVERYWHERE,
        Action::Quit,
        "Quit",
        "quit",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers, place: Place) -> Option<Action> {
        of_key(&KeyEvent::new(code, modifiers), place)
    }

    #[test]
    fn no_key_has_two_meanings_in_one_place() {
        for (at, one) in KEYS.iter().enumerate() {
            for other in KEYS.iter().skip(at + 1) {
                let place = one.places.iter().any(|place| other.places.contains(place));
                let keys = one.keys.iter().any(|key| other.keys.contains(key));
                assert!(!(place && keys), "{} and {}", one.help, other.help);
            }
        }
    }

    #[test]
    fn capitals_come_with_shift_from_some_terminals() {
        let shift = KeyModifiers::SHIFT;
        let bottom = Some(Action::Move(Motion::Bottom));
        assert_eq!(press(KeyCode::Char('G'), shift, Place::Messages), bottom);
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::NONE, Place::Messages), bottom);
        assert_eq!(press(KeyCode::BackTab, shift, Place::Detail), Some(Action::PrevPane));
        assert_eq!(
            press(KeyCode::Char('f'), KeyModifiers::CONTROL, Place::Detail),
            Some(Action::Search)
        );
    }

    #[test]
    fn a_key_counts_only_in_its_place() {
        let none = KeyModifiers::NONE;
        assert_eq!(press(KeyCode::Char('s'), none, Place::Connections), Some(Action::Sort));
        assert_eq!(press(KeyCode::Char('s'), none, Place::Messages), None);
    }

    #[test]
    fn keys_are_named_as_keyboards_name_them() {
        let names: Vec<_> = KEYS.iter().flat_map(|b| b.keys).map(Key::name).collect();
        for name in ["F1", "Ctrl-F", "Space", "PgUp", "Esc", "Tab", "Shift-Tab", "↑", "Enter"] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
    }
}
