//! A screen as a picture: for the README, so that what it shows is what one gets.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// A cell's size in pixels, and the font's.
const CELL: (usize, usize) = (9, 19);
const FONT: usize = 15;

/// Draws a buffer as SVG, with these colours where the buffer names none.
pub fn draw(buffer: &Buffer, text: &str, background: &str) -> String {
    let (width, height) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" \
         height=\"{1}\" font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"{FONT}\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n",
        width * CELL.0 + 20,
        height * CELL.1 + 20
    );
    for y in 0..height {
        let row: Vec<&Cell> = buffer.content().iter().skip(y * width).take(width).collect();
        backgrounds(&mut svg, &row, y, text, background);
        texts(&mut svg, &row, y, text, background);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Colours of a cell: letters, then what is behind them.
fn colours(cell: &Cell, text: &str, background: &str) -> (String, Option<String>) {
    let fg = css(cell.fg).unwrap_or_else(|| text.to_owned());
    let bg = css(cell.bg);
    if cell.modifier.contains(Modifier::REVERSED) {
        (bg.unwrap_or_else(|| background.to_owned()), Some(fg))
    } else {
        (fg, bg)
    }
}

fn backgrounds(svg: &mut String, row: &[&Cell], y: usize, text: &str, background: &str) {
    let mut x = 0;
    for run in row.chunk_by(|a, b| colours(a, text, background).1 == colours(b, text, background).1)
    {
        if let Some(bg) = run.first().and_then(|cell| colours(cell, text, background).1) {
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{bg}\"/>",
                x * CELL.0 + 10,
                y * CELL.1 + 10,
                run.len() * CELL.0,
                CELL.1
            );
        }
        x += run.len();
    }
}

fn texts(svg: &mut String, row: &[&Cell], y: usize, text: &str, background: &str) {
    let style = |cell: &Cell| (colours(cell, text, background).0, cell.modifier);
    let mut x = 0;
    for run in row.chunk_by(|a, b| style(a) == style(b)) {
        let start = x;
        x += run.len();
        let mut letters = String::new();
        let mut skip = 0;
        for cell in run {
            // What a wide character covers has a cell of its own, with nothing in it.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = cell.symbol().width().saturating_sub(1);
            letters.push_str(cell.symbol());
        }
        let Some(first) = run.first().filter(|_| !letters.trim().is_empty()) else { continue };
        let (fill, modifier) = style(first);
        let weight = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
        let dim = if modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" fill=\"{fill}\"{weight}{dim} xml:space=\"preserve\" \
             textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
            start * CELL.0 + 10,
            y * CELL.1 + 10 + FONT,
            run.len() * CELL.0,
            escaped(&letters)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A colour of the 256 that terminals agree on; `None` for the terminal's own.
fn css(color: Color) -> Option<String> {
    let (r, g, b) = match color {
        Color::Indexed(n @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
            let n = n - 16;
            (level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        Color::Indexed(n @ 232..) => {
            let grey = 8 + (n - 232) * 10;
            (grey, grey, grey)
        }
        Color::Rgb(r, g, b) => (r, g, b),
        _ => return None,
    };
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_screen_is_drawn_with_its_colours() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(
            0,
            0,
            "a<b",
            Style::new().fg(Color::Indexed(196)).bg(Color::Indexed(232)),
        );
        let svg = draw(&buffer, "#dddddd", "#101010");
        assert!(svg.contains("fill=\"#ff0000\""), "{svg}");
        assert!(
            svg.contains("<rect x=\"10\" y=\"10\" width=\"27\" height=\"19\" fill=\"#080808\"/>")
        );
        assert!(svg.contains(">a&lt;b</text>"));
        assert!(svg.contains("viewBox=\"0 0 74 39\""));
    }
}
