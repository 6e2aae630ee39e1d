//! The heads of a handshake in full, for `-v`, as curl shows them.
//!
//! Gets: a handshake. Gives: its lines, still to be escaped.

use crate::event::{Fields, Handshake};

/// `> ` in front of what the client sent, `< ` in front of what the server sent.
pub(super) fn lines(handshake: &Handshake) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(head) = &handshake.request {
        lines.push(format!("> {} {} HTTP/{}", head.method, head.target, head.version));
        fields(&mut lines, '>', &head.fields);
    }
    if let Some(head) = &handshake.response {
        let line = format!("< HTTP/{} {} {}", head.version, head.status, head.reason);
        // HTTP/2 has no reason.
        lines.push(line.trim_end().to_owned());
        fields(&mut lines, '<', &head.fields);
    }
    lines
}

fn fields(lines: &mut Vec<String>, mark: char, fields: &Fields) {
    lines.extend(fields.0.iter().map(|f| format!("{mark} {}: {}", f.name_text(), f.value_text())));
}
