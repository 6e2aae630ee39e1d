//! Colours by meaning.
//!
//! Gets: a name, or what the environment says. Gives: a [`Style`] for each meaning. No meaning is
//! told by colour alone: notes have signs, directions have arrows, the selection is reversed.

use ratatui::style::{Color, Modifier, Style};

use crate::note::Severity;
use crate::units::Direction;

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// For eyes that do not tell red from green (Okabe and Ito's colours).
    ColourBlind,
    /// None: only bold, dim, underlined, reversed.
    Plain,
}

impl Palette {
    const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::ColourBlind, Self::Plain];

    /// The name for `:theme`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::ColourBlind => "colour-blind",
            Self::Plain => "plain",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|palette| palette.name() == name)
    }

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|palette| *palette == self).unwrap_or(0);
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }

    /// [`Palette::Plain`] where `NO_COLOR` is set and not empty (<https://no-color.org>), or where the
    /// terminal is one that has no colours.
    pub fn from_environment() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let colourless = |term: &std::ffi::OsString| {
            let term = term.to_string_lossy();
            term == "dumb"
                || term.ends_with("-m")
                || term.ends_with("-mono")
                || term.starts_with("vt1")
        };
        match set("NO_COLOR").or_else(|| set("TERM").filter(colourless)) {
            Some(_) => Self::Plain,
            None => Self::default(),
        }
    }
}

/// A style for each meaning.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// Which one it is.
    pub palette: Palette,
    /// Plain text.
    pub text: Style,
    /// Less important text.
    pub dim: Style,
    /// Headings and what is to be seen first.
    pub strong: Style,
    /// Lines and borders.
    pub border: Style,
    /// Border of the pane that has the keys.
    pub focus: Style,
    /// Column titles.
    pub header: Style,
    /// The bars at the top and the bottom.
    pub bar: Style,
    /// A key in a bar.
    pub key: Style,
    /// The selected row of the pane that has the keys.
    pub selected: Style,
    /// The selected row of another pane.
    pub selected_dim: Style,
    /// A marked row's sign.
    pub marked: Style,
    /// Bytes or text that were found or pointed at.
    pub highlight: Style,
    /// What one of two has otherwise, upon the colour of its side.
    pub differs: Style,
    /// From the client.
    pub to_server: Style,
    /// From the server.
    pub to_client: Style,
    /// Broken.
    pub error: Style,
    /// Likely to harm.
    pub warning: Style,
    /// Worth knowing.
    pub info: Style,
    /// In order.
    pub good: Style,
    /// A name in JSON, or of a field.
    pub name: Style,
    /// A string in JSON.
    pub string: Style,
    /// A number in JSON.
    pub number: Style,
    /// `true`, `false`, `null`.
    pub literal: Style,
}

impl Theme {
    /// The styles of a palette.
    pub const fn new(palette: Palette) -> Self {
        match palette {
            Palette::Dark => Self::coloured(palette, &DARK),
            Palette::Light => Self::coloured(palette, &LIGHT),
            Palette::ColourBlind => Self::coloured(palette, &OKABE_ITO),
            Palette::Plain => Self::plain(),
        }
    }

    const fn coloured(palette: Palette, c: &Colours) -> Self {
        Self {
            palette,
            text: Style::new(),
            dim: Style::new().fg(c.dim),
            strong: Style::new().add_modifier(Modifier::BOLD),
            border: Style::new().fg(c.border),
            focus: Style::new().fg(c.accent).add_modifier(Modifier::BOLD),
            header: Style::new().fg(c.accent).add_modifier(Modifier::BOLD),
            bar: Style::new().fg(c.bar_text).bg(c.bar),
            key: Style::new().fg(c.bar_key).bg(c.bar).add_modifier(Modifier::BOLD),
            selected: Style::new().fg(c.selected_text).bg(c.selected).add_modifier(Modifier::BOLD),
            selected_dim: Style::new().bg(c.selected_dim),
            marked: Style::new().fg(c.accent).add_modifier(Modifier::BOLD),
            highlight: Style::new().fg(c.highlight_text).bg(c.highlight),
            differs: Style::new().add_modifier(Modifier::BOLD).add_modifier(Modifier::UNDERLINED),
            to_server: Style::new().fg(c.to_server),
            to_client: Style::new().fg(c.to_client),
            error: Style::new().fg(c.error).add_modifier(Modifier::BOLD),
            warning: Style::new().fg(c.warning),
            info: Style::new().fg(c.info),
            good: Style::new().fg(c.good),
            name: Style::new().fg(c.name),
            string: Style::new().fg(c.string),
            number: Style::new().fg(c.number),
            literal: Style::new().fg(c.literal).add_modifier(Modifier::BOLD),
        }
    }

    const fn plain() -> Self {
        let text = Style::new();
        let bold = text.add_modifier(Modifier::BOLD);
        let dim = text.add_modifier(Modifier::DIM);
        let reversed = text.add_modifier(Modifier::REVERSED);
        Self {
            palette: Palette::Plain,
            text,
            dim,
            strong: bold,
            border: dim,
            focus: bold,
            header: bold,
            bar: reversed,
            key: reversed.add_modifier(Modifier::BOLD),
            selected: reversed,
            selected_dim: text.add_modifier(Modifier::UNDERLINED),
            marked: bold,
            highlight: reversed,
            differs: bold.add_modifier(Modifier::UNDERLINED),
            to_server: text,
            to_client: text,
            error: bold,
            warning: bold,
            info: text,
            good: text,
            name: bold,
            string: text,
            number: text,
            literal: text,
        }
    }

    /// The style of a severity.
    pub const fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
            Severity::Info => self.info,
        }
    }

    /// The style of what goes this way.
    pub const fn dir(&self, dir: Direction) -> Style {
        match dir {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        }
    }
}

/// A sign of one column for a severity.
pub const fn sign(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Error) => "✗",
        Some(Severity::Warning) => "!",
        Some(Severity::Info) => "i",
        None => " ",
    }
}

/// An arrow of one column for a direction, the client on the left.
pub const fn arrow(dir: Direction) -> &'static str {
    match dir {
        Direction::ToServer => "→",
        Direction::ToClient => "←",
    }
}

struct Colours {
    dim: Color,
    border: Color,
    accent: Color,
    bar: Color,
    bar_text: Color,
    bar_key: Color,
    selected: Color,
    selected_text: Color,
    selected_dim: Color,
    highlight: Color,
    highlight_text: Color,
    to_server: Color,
    to_client: Color,
    error: Color,
    warning: Color,
    info: Color,
    good: Color,
    name: Color,
    string: Color,
    number: Color,
    literal: Color,
}

// The 256-colour cube, which every terminal of today has, rather than the sixteen that each paints
// as it likes.
const DARK: Colours = Colours {
    dim: Color::Indexed(245),
    border: Color::Indexed(240),
    accent: Color::Indexed(81),
    bar: Color::Indexed(236),
    bar_text: Color::Indexed(252),
    bar_key: Color::Indexed(81),
    selected: Color::Indexed(25),
    selected_text: Color::Indexed(231),
    selected_dim: Color::Indexed(238),
    highlight: Color::Indexed(220),
    highlight_text: Color::Indexed(16),
    to_server: Color::Indexed(114),
    to_client: Color::Indexed(111),
    error: Color::Indexed(203),
    warning: Color::Indexed(215),
    info: Color::Indexed(110),
    good: Color::Indexed(114),
    name: Color::Indexed(117),
    string: Color::Indexed(150),
    number: Color::Indexed(180),
    literal: Color::Indexed(176),
};

const LIGHT: Colours = Colours {
    dim: Color::Indexed(242),
    border: Color::Indexed(248),
    accent: Color::Indexed(25),
    bar: Color::Indexed(254),
    bar_text: Color::Indexed(236),
    bar_key: Color::Indexed(25),
    selected: Color::Indexed(153),
    selected_text: Color::Indexed(16),
    selected_dim: Color::Indexed(254),
    highlight: Color::Indexed(226),
    highlight_text: Color::Indexed(16),
    to_server: Color::Indexed(28),
    to_client: Color::Indexed(26),
    error: Color::Indexed(160),
    warning: Color::Indexed(130),
    info: Color::Indexed(31),
    good: Color::Indexed(28),
    name: Color::Indexed(24),
    string: Color::Indexed(22),
    number: Color::Indexed(94),
    literal: Color::Indexed(90),
};

// Okabe and Ito: sky blue, orange, bluish green, vermillion, reddish purple, yellow.
const OKABE_ITO: Colours = Colours {
    dim: Color::Indexed(245),
    border: Color::Indexed(240),
    accent: Color::Indexed(74),
    bar: Color::Indexed(236),
    bar_text: Color::Indexed(252),
    bar_key: Color::Indexed(221),
    selected: Color::Indexed(25),
    selected_text: Color::Indexed(231),
    selected_dim: Color::Indexed(238),
    highlight: Color::Indexed(221),
    highlight_text: Color::Indexed(16),
    to_server: Color::Indexed(178),
    to_client: Color::Indexed(74),
    error: Color::Indexed(202),
    warning: Color::Indexed(221),
    info: Color::Indexed(74),
    good: Color::Indexed(36),
    name: Color::Indexed(74),
    string: Color::Indexed(36),
    number: Color::Indexed(178),
    literal: Color::Indexed(175),
};
