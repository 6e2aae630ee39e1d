//! The loop: keys and rows in, screens out; and the terminal as it was found, whatever happens.
//!
//! Gets: a [`Session`]. Gives: a screen, until somebody leaves. Keeps: nothing behind, but the
//! recording of what was captured and never saved, when it was ended from outside.

use crate::sink::text::counted;
use std::fmt;
use std::fs::File;
use std::io::{self, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    Event, KeyEventKind, MouseButton, MouseEventKind,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::action::{Action, Mouse};
use super::app::{App, Effect, Kind, Saved};
use super::keys::{self, Place};
use super::load::Loading;
use super::pick::{self, Choice, Offer, Picker};
use super::tape::{self, Recorded, Tape, Wanted};
use super::theme::Palette;
use super::view;
use crate::process::Owners;
use crate::store::{Size, Writer};

/// Fills a store, tells how far it is, and does what is wished meanwhile.
pub type Load = Box<dyn FnOnce(Writer, &Loading) + Send>;

/// What is shown.
pub struct Session {
    /// Fills the store, on a thread of its own.
    pub load: Load,
    /// What the packets come from.
    pub name: String,
    /// That is an interface.
    pub live: bool,
    /// Where the packets can be read again.
    pub tape: Tape,
    /// A file of it that is ours, and goes when nobody wants to save it.
    pub recorded: Option<Recorded>,
    /// The packets would be lost with it.
    pub unsaved: bool,
    /// The capture filter.
    pub capture_filter: Option<String>,
    /// The file that packets are written to meanwhile.
    pub written: Option<PathBuf>,
    /// The processes at the ends of connections.
    pub owners: Owners,
    /// Colours.
    pub palette: Palette,
    /// A display filter to begin with.
    pub filter: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session {{ name: {:?}, tape: {:?} }}", self.name, self.tape)
    }
}

/// Why the UI can not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuiError {
    /// The terminal, or the store's file.
    #[error("the terminal UI can not go on")]
    Io(#[from] io::Error),
    /// A fault of this program; shown already.
    #[error("the terminal UI ended by a fault of its own")]
    Panicked,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Somebody left.
    Quit,
    /// A signal came; what was captured and not saved is there.
    Signal(Option<PathBuf>),
}

/// Time between two drawings while something moves.
const FRAME: Duration = Duration::from_millis(33);
/// The same while nothing does: signals are looked for.
const REST: Duration = Duration::from_millis(150);
/// Terminals give up on longer texts for the clipboard.
const CLIPBOARD: usize = 1 << 20;

/// Set by the panic hook.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Shows a session until somebody leaves.
///
/// # Errors
/// When there is no terminal, or no temporary file.
pub fn run(session: Session) -> Result<Ended, TuiError> {
    let (writer, reader) = crate::store::new()?;
    let mut app = App::new(reader, &session.name, session.live, session.palette)?;
    let recorded = session.recorded;
    app.recorded = recorded.as_ref().map(|recorded| recorded.path().to_owned());
    app.unsaved = session.unsaved;
    app.owners = session.owners;
    app.capture_filter = session.capture_filter;
    app.written = session.written;
    app.taken = |path| path.exists();
    if let Some(filter) = &session.filter {
        app.apply_filter(filter);
    }
    let loading = Loading::default();
    let (load, told) = (session.load, loading.clone());
    // Never joined: a pipe that nobody writes to would never let go.
    std::thread::Builder::new().name("load".into()).spawn(move || {
        load(writer, &told);
        // Also when it panicked, which was shown.
        told.tell(|load| load.done = true);
    })?;
    let signals = Signals::new()?;
    let mut screen = Screen::enter(app.recorded.clone().filter(|_| app.unsaved))?;
    let (sender, results) = channel();
    let mut ui =
        Ui { app, loading, tape: session.tape, sender, results, drawn: None, ended: false };
    let result = ui.turn(&mut screen, &signals);
    drop(screen);
    let ended = result?;
    if let Some(recorded) = &recorded {
        match ended {
            Ended::Signal(_) if ui.app.loses() => {
                return Ok(Ended::Signal(Some(recorded.path().to_owned())));
            }
            _ => recorded.remove(),
        }
    }
    Ok(ended)
}

/// Lets somebody choose what to capture on; `None` when he left. Starts no thread: those that run
/// before privileges are given up would keep them.
///
/// # Errors
/// When there is no terminal.
pub fn choose(picker: &mut Picker) -> Result<Option<Choice>, TuiError> {
    let came = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        signal_hook::flag::register(signal, Arc::clone(&came))?;
    }
    // Reading from a terminal that is gone never comes back to look at a flag.
    let choosing = Choosing(Arc::new(AtomicBool::new(true)));
    signal_hook::flag::register_conditional_shutdown(SIGHUP, 2, Arc::clone(&choosing.0))?;
    let mut screen = Screen::enter(None)?;
    let (mut counted, mut renewed) = (Instant::now(), Instant::now());
    picker.count(crate::capture::traffic(), Duration::ZERO);
    loop {
        if came.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if counted.elapsed() >= COUNT {
            picker.count(crate::capture::traffic(), counted.elapsed());
            counted = Instant::now();
        }
        if renewed.elapsed() >= RENEW
            && let Ok(offer) = Offer::now()
        {
            picker.renew(offer);
            renewed = Instant::now();
        }
        screen.terminal.draw(|frame| view::pick::draw(frame, picker))?;
        if !event::poll(REST)? {
            continue;
        }
        let typing = picker.typing();
        let Some(action) = action_of(event::read()?, typing, Place::Interfaces) else { continue };
        match picker.update(action) {
            pick::Next::Stay => {}
            pick::Next::Suspend => screen.suspend()?,
            pick::Next::Leave => return Ok(None),
            pick::Next::Start(choice) => return Ok(Some(choice)),
        }
    }
}

/// Somebody chooses: there is nothing to lose when the terminal goes.
struct Choosing(Arc<AtomicBool>);

impl Drop for Choosing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Traffic is counted so often while somebody chooses.
const COUNT: Duration = Duration::from_secs(1);
/// And so often it is looked whether interfaces and ports came or went.
const RENEW: Duration = Duration::from_secs(3);
/// Signals that end the program.
const SIGNALS: [std::ffi::c_int; 4] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT];

/// Waits for signals that end the program.
struct Signals {
    came: Arc<AtomicBool>,
    /// Gone when nobody asks any more.
    _asked: Arc<()>,
}

/// How long a signal may go unheard: reading from a terminal that is gone never comes back.
const UNHEARD: Duration = Duration::from_secs(1);

impl Signals {
    fn new() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in SIGNALS {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        let asked = Arc::new(());
        let (came, alive) = (Arc::clone(&flag), Arc::downgrade(&asked));
        std::thread::spawn(move || {
            while alive.strong_count() > 0 {
                std::thread::sleep(UNHEARD / 4);
                if came.load(Ordering::Relaxed) {
                    std::thread::sleep(UNHEARD);
                    if alive.strong_count() > 0 {
                        // What was captured is in its file, written out as it came.
                        leave();
                        std::process::exit(2);
                    }
                }
            }
        });
        Ok(Self { came: flag, _asked: asked })
    }

    fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}

/// The terminal while it is ours; given back when dropped, and before a panic is shown.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    fn enter(recorded: Option<PathBuf>) -> io::Result<Self> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            leave();
            PANICKED.store(true, Ordering::Relaxed);
            hook(info);
            if let Some(path) = &recorded {
                let mut out = io::stderr().lock();
                // Nobody is left to be told when this fails.
                let _ = writeln!(out, "wstap: what was captured is in {}", path.display());
            }
        }));
        enter()?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
    }

    /// To the shell, until it says otherwise.
    fn suspend(&mut self) -> io::Result<()> {
        leave();
        signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
        enter()?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste)
}

fn leave() {
    // Each for itself: what fails must not keep the others from being done.
    let _ = execute!(io::stdout(), DisableBracketedPaste, DisableMouseCapture);
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

struct Ui {
    app: App,
    loading: Loading,
    tape: Tape,
    sender: Sender<Done>,
    results: Receiver<Done>,
    /// What there was to be seen when the screen was drawn last.
    drawn: Option<(super::load::Load, Size, u64)>,
    ended: bool,
}

/// Something in the background came to its end.
struct Done {
    result: Result<String, String>,
    /// So much of a recording is saved.
    saved: Option<Saved>,
}

impl Ui {
    fn turn(&mut self, screen: &mut Screen, signals: &Signals) -> Result<Ended, TuiError> {
        let mut dirty = true;
        loop {
            if PANICKED.load(Ordering::Relaxed) {
                return Err(TuiError::Panicked);
            }
            if signals.came() {
                return Ok(Ended::Signal(None));
            }
            while let Ok(done) = self.results.try_recv() {
                self.app.saved = done.saved.unwrap_or(self.app.saved);
                self.app.tell(done.result);
                dirty = true;
            }
            self.app.load = self.loading.now();
            if self.loading.take_bell() {
                let mut out = io::stdout().lock();
                out.write_all(b"\x07")?;
                out.flush()?;
            }
            let (size, owners) = (self.app.reader.size(), self.app.owners.version());
            let now = (self.app.load.clone(), size, owners);
            if dirty || self.drawn.as_ref() != Some(&now) || self.app.seeking() {
                self.app.refresh();
                screen.terminal.draw(|frame| view::draw(frame, &mut self.app))?;
                self.drawn = Some(now);
            }
            dirty = self.app.busy() && self.app.load.done;
            let wait = if self.app.busy() { FRAME } else { REST };
            if event::poll(wait)? {
                dirty = true;
                self.events()?;
            }
            self.effects(screen)?;
            if self.ended {
                return Ok(Ended::Quit);
            }
        }
    }

    /// All events that are there: a held key must not run on after it was let go.
    fn events(&mut self) -> io::Result<()> {
        loop {
            let (typing, place) = (self.app.typing(), self.app.place());
            if let Some(action) = action_of(event::read()?, typing, place) {
                self.app.update(action);
            }
            if !event::poll(Duration::ZERO)? {
                return Ok(());
            }
            // What one key did counts for the next.
            self.app.refresh();
        }
    }

    fn effects(&mut self, screen: &mut Screen) -> Result<(), TuiError> {
        for effect in self.app.take_effects() {
            match effect {
                Effect::Quit => self.ended = true,
                Effect::StopLoading => self.loading.stop(),
                Effect::Order(order) => self.loading.order(order),
                Effect::Clipboard(text) => self.clipboard(&text)?,
                Effect::Suspend => screen.suspend()?,
                Effect::WriteFile(path, bytes) => {
                    let size = super::text::size(bytes.len() as u64);
                    let folders = self.tape.folders.clone();
                    let Some(mut file) = self.create(Kind::SavePayload, &path) else { continue };
                    self.behind(move || {
                        let result = match file.write_all(&bytes) {
                            Ok(()) => Ok(format!("saved {size} to {}", path.display())),
                            Err(error) => Err(tape::cannot_write(&path, &error, &folders)),
                        };
                        Done { result, saved: None }
                    });
                }
                Effect::SaveConnections(path, conns) => {
                    let all = &self.app.snapshot.conns;
                    let wanted =
                        conns.iter().filter_map(|at| all.get(*at as usize)).map(Wanted::of);
                    let wanted: Vec<Wanted> = wanted.collect();
                    self.save(Kind::SaveConnections, path, wanted);
                }
                Effect::SaveAll(path) => self.save(Kind::SaveAll, path, Vec::new()),
            }
        }
        Ok(())
    }

    /// A new file; where there can be none, the name is asked for again.
    fn create(&mut self, kind: Kind, path: &Path) -> Option<File> {
        match tape::create_new(path) {
            Ok(file) => Some(file),
            Err(error) => {
                let reason = tape::cannot_write(path, &error, &self.tape.folders);
                self.app.refuse(kind, &path.to_string_lossy(), &reason);
                None
            }
        }
    }

    fn save(&mut self, kind: Kind, path: PathBuf, wanted: Vec<Wanted>) {
        let Some(file) = self.create(kind, &path) else { return };
        let all = kind == Kind::SaveAll;
        let mut tape = self.tape.clone();
        tape.before = self.app.load.before;
        // What is on the screen may still be on its way to the recording.
        let (loading, times) = (self.loading.clone(), self.loading.now().written);
        self.behind(move || {
            loading.wait_written(times);
            let result = tape.save(&wanted, file, &path);
            let saved = result.as_ref().ok().filter(|_| all);
            let saved = saved.map(|packets| Saved { before: tape.before, packets: *packets });
            let told = |packets| counted(packets, "packet");
            let result = result.map(|n| format!("saved {} to {}", told(n), path.display()));
            Done { result, saved }
        });
    }

    /// Does something that may take long, and tells what came of it.
    fn behind(&self, work: impl FnOnce() -> Done + Send + 'static) {
        let sender = self.sender.clone();
        let spawned = std::thread::Builder::new().name("save".into()).spawn(move || {
            // Whoever asked may be gone.
            let _ = sender.send(work());
        });
        if let Err(error) = spawned {
            let _ = self.sender.send(Done { result: Err(error.to_string()), saved: None });
        }
    }

    /// OSC 52: the terminal that one sits at puts it into its clipboard, however far away.
    fn clipboard(&mut self, text: &str) -> io::Result<()> {
        if text.len() > CLIPBOARD {
            let size = super::text::size(text.len() as u64);
            self.app.tell(Err(format!("{size} are too much for a clipboard; w saves the payload")));
            return Ok(());
        }
        let mut out = io::stdout().lock();
        write!(out, "\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text))?;
        out.flush()
    }
}

/// What an event of the terminal does in a place.
fn action_of(event: Event, typing: bool, place: Place) -> Option<Action> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => None,
        Event::Key(key) if typing => keys::of_typing(&key),
        Event::Key(key) => keys::of_key(&key, place),
        Event::Paste(text) => Some(Action::Paste(text)),
        Event::Mouse(mouse) => {
            let (x, y) = (mouse.column, mouse.row);
            Some(Action::Mouse(match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Mouse::Click(x, y),
                MouseEventKind::Drag(MouseButton::Left) => Mouse::Drag(x, y),
                MouseEventKind::Up(MouseButton::Left) => Mouse::Release,
                MouseEventKind::ScrollUp => Mouse::WheelUp(x, y),
                MouseEventKind::ScrollDown => Mouse::WheelDown(x, y),
                _ => return None,
            }))
        }
        Event::Resize(..) => Some(Action::Tick),
        Event::FocusGained | Event::FocusLost => None,
    }
}
