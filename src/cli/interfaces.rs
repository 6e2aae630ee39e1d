//! `wstap interfaces`: what can be captured on.

use std::fmt::Write;

use super::Found;
use super::args::InterfacesArgs;
use super::error::CliError;
use super::screen;
use crate::capture::{self, InterfaceInfo};
use crate::sink::escape::{Escaped, width};
use crate::sink::json::line::separated;
use crate::sink::json::write::{boolean, opt_string, raw, string};

pub(super) fn interfaces(args: InterfacesArgs) -> Result<Found, CliError> {
    let found = capture::interfaces()?;
    screen::put(&if args.json { json(&found) } else { table(&found) })?;
    Ok(Found::Nothing)
}

/// Name, state and addresses; below it, why it can not be opened.
fn table(interfaces: &[InterfaceInfo]) -> String {
    let name = interfaces.iter().map(|i| width(&i.name)).max().unwrap_or(0).max(4);
    let mut out = String::new();
    for interface in interfaces {
        let pad = name.saturating_sub(width(&interface.name));
        let addresses: Vec<String> = interface.addresses.iter().map(address).collect();
        // Writing to a String does not fail.
        let _ = write!(
            out,
            "{}{:pad$}  {:<14}  {}",
            Escaped(&interface.name),
            "",
            state(interface),
            addresses.join(" ")
        );
        out.truncate(out.trim_end_matches(' ').len());
        if let Some(description) = &interface.description {
            let _ = write!(out, "  ({})", Escaped(description));
        }
        out.push('\n');
        if let Some(problem) = &interface.problem {
            let _ = writeln!(out, "{:name$}  can not be opened: {}", "", Escaped(problem));
        }
    }
    if interfaces.is_empty() {
        out.push_str("no interfaces: libpcap sees none for this user\n");
    }
    out
}

const fn state(interface: &InterfaceInfo) -> &'static str {
    match (interface.up, interface.loopback, interface.running) {
        (false, _, _) => "down",
        (true, true, _) => "up, loopback",
        (true, false, true) => "up",
        (true, false, false) => "up, no link",
    }
}

fn address((ip, prefix): &(std::net::IpAddr, Option<u8>)) -> String {
    match prefix {
        Some(prefix) => format!("{ip}/{prefix}"),
        None => ip.to_string(),
    }
}

/// `{"event":"interface", name, description, addresses, up, running, loopback, wireless, problem}`, one
/// a line.
fn json(interfaces: &[InterfaceInfo]) -> String {
    let mut buf = Vec::new();
    for interface in interfaces {
        raw(&mut buf, "{\"event\":\"interface\",\"name\":");
        string(&mut buf, &interface.name);
        raw(&mut buf, ",\"description\":");
        opt_string(&mut buf, interface.description.as_deref());
        raw(&mut buf, ",\"addresses\":[");
        separated(&mut buf, &interface.addresses, |buf, a| string(buf, &address(a)));
        raw(&mut buf, "]");
        for (key, value) in [
            (",\"up\":", interface.up),
            (",\"running\":", interface.running),
            (",\"loopback\":", interface.loopback),
            (",\"wireless\":", interface.wireless),
        ] {
            raw(&mut buf, key);
            boolean(&mut buf, value);
        }
        raw(&mut buf, ",\"problem\":");
        opt_string(&mut buf, interface.problem.as_deref());
        raw(&mut buf, "}\n");
    }
    String::from_utf8(buf).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lo() -> InterfaceInfo {
        InterfaceInfo {
            name: "lo".into(),
            description: None,
            addresses: vec![([127, 0, 0, 1].into(), Some(8))],
            up: true,
            running: true,
            loopback: true,
            wireless: false,
            problem: None,
        }
    }

    #[test]
    fn a_line_for_each_and_one_for_what_hinders() {
        let evil = InterfaceInfo {
            name: "eth\x1b0".into(),
            loopback: false,
            up: false,
            problem: Some("no permission".into()),
            ..lo()
        };
        assert_eq!(
            table(&[lo(), evil.clone()]),
            concat!(
                "lo        up, loopback    127.0.0.1/8\n",
                "eth\\x1b0  down            127.0.0.1/8\n",
                "          can not be opened: no permission\n",
            )
        );
        let lines = json(&[lo(), evil]);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first["addresses"][0], "127.0.0.1/8");
        assert_eq!(
            (&first["loopback"], &first["problem"]),
            (&true.into(), &serde_json::Value::Null)
        );
    }
}
