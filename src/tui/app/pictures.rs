//! The README's pictures: screens of samples, drawn by the program's own views.
//!
//! `UPDATE_GOLDEN=1 cargo test pictures` draws them again.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::App;
use super::tests::sample;
use crate::tui::action::{Action as A, Motion as M, View};
use crate::tui::svg;
use crate::tui::theme::Palette;

/// What a picture shows, and how one gets there.
struct Picture {
    name: &'static str,
    sample: &'static str,
    size: (u16, u16),
    actions: &'static [A],
}

const PICTURES: [Picture; 3] = [
    Picture {
        name: "messages",
        sample: "graphql-ws.pcapng",
        size: (120, 34),
        actions: &[A::Show(View::Messages), A::Move(M::Down), A::Move(M::Down), A::Move(M::Down)],
    },
    Picture {
        name: "handshake",
        sample: "nginx-bad.pcapng",
        size: (120, 34),
        actions: &[A::Show(View::Handshake)],
    },
    Picture {
        name: "legs",
        sample: "evil-rewrite.pcapng",
        size: (120, 40),
        actions: &[A::Show(View::Legs), A::NextNote],
    },
];

fn draw(picture: &Picture) -> String {
    let mut app = sample(picture.sample, Palette::Dark);
    let (width, height) = picture.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = |app: &mut App| {
        loop {
            app.refresh();
            terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
            // Both are looked for on threads of their own, which a busy machine lets wait.
            if !app.seeking() && app.legs.progress().is_none() {
                break;
            }
            std::thread::yield_now();
        }
        svg::draw(terminal.backend().buffer(), "#d0d0d0", "#16181d")
    };
    for action in picture.actions {
        drawn(&mut app);
        app.update(action.clone());
    }
    drawn(&mut app);
    drawn(&mut app)
}

#[test]
fn pictures_are_what_is_drawn() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/img");
    for picture in &PICTURES {
        let path = folder.join(picture.name).with_extension("svg");
        let drawn = draw(picture);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "{} is out of date: UPDATE_GOLDEN=1 draws it again", path.display());
    }
}
