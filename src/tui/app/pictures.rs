//! The README's pictures: screens of samples, drawn by the program's own views.
//!
//! `UPDATE_GOLDEN=1 cargo test pictures` draws them again.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::App;
use crate::capture::{self, Input, PacketSource as _};
use crate::limits::Limits;
use crate::pipeline::Pipeline;
use crate::tui::action::{Action as A, Motion as M, View};
use crate::tui::load::Load;
use crate::tui::svg;
use crate::tui::theme::Palette;

/// What a picture shows, and how one gets there.
struct Picture {
    name: &'static str,
    sample: &'static str,
    size: (u16, u16),
    actions: &'static [A],
}

const PICTURES: [Picture; 2] = [
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
];

fn draw(picture: &Picture) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let inputs = [Input::Path(root.join("samples").join(picture.sample))];
    let limits = Limits::default();
    let mut source = capture::open(&inputs, &limits, &capture::Options::default()).unwrap();
    let (writer, reader) = crate::store::new().unwrap();
    let mut pipeline = Pipeline::new(writer, limits);
    while let Some(record) = source.next().unwrap() {
        assert!(pipeline.push(&record).is_continue());
    }
    let (_, totals) = pipeline.finish();
    let mut app = App::new(reader, picture.sample, false, Palette::Dark).unwrap();
    app.load = Load { packets: totals.packets, done: true, ..Load::default() };
    let (width, height) = picture.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = |app: &mut App| {
        loop {
            app.refresh();
            terminal.draw(|frame| crate::tui::view::draw(frame, app)).unwrap();
            if !app.seeking() {
                break;
            }
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
