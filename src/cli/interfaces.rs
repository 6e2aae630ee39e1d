//! `wstap interfaces`: what can be captured on.

use std::collections::HashMap;
use std::fmt::Write;

use super::Found;
use super::args::InterfacesArgs;
use super::error::CliError;
use super::screen;
use crate::capture::{self, InterfaceInfo, Traffic};
use crate::sink::escape::{Escaped, width};
use crate::sink::json::line::separated;
use crate::sink::json::write::{boolean, opt_number, opt_string, raw, string};

pub(super) fn interfaces(args: InterfacesArgs) -> Result<Found, CliError> {
    if args.listening {
        return listening(args.json);
    }
    let found = capture::interfaces()?;
    screen::put(&if args.json { json(&found, &capture::traffic()) } else { table(&found) })?;
    Ok(Found::Nothing)
}

/// Ports on which something listens, who, and the capture filter for it.
#[cfg(target_os = "linux")]
fn listening(as_json: bool) -> Result<Found, CliError> {
    let mut out = Vec::new();
    for listener in crate::process::listening_ports().map_err(CliError::Listening)? {
        let filter = listener.capture_filter();
        if as_json {
            raw(&mut out, "{\"event\":\"listener\",\"address\":");
            string(&mut out, &listener.addr.to_string());
            raw(&mut out, ",\"filter\":");
            string(&mut out, &filter);
            raw(&mut out, ",\"process\":");
            crate::sink::json::line::process(&mut out, listener.process.as_ref());
            raw(&mut out, "}\n");
        } else {
            let who = listener.process.map(|p| format!("{p} {}", p.command)).unwrap_or_default();
            let line = format!("{:<16}  {:<24}  {}", filter, listener.addr, Escaped(&who));
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
    }
    screen::put(&String::from_utf8_lossy(&out))?;
    Ok(Found::Nothing)
}

#[cfg(not(target_os = "linux"))]
fn listening(_: bool) -> Result<Found, CliError> {
    Err(CliError::Listening(std::io::ErrorKind::Unsupported.into()))
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

/// `{"event":"interface", name, description, addresses, up, running, loopback, wireless, problem, received, sent,
/// received_bytes, sent_bytes}`, one
/// a line.
fn json(interfaces: &[InterfaceInfo], traffic: &HashMap<String, Traffic>) -> String {
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
        let seen = traffic.get(&interface.name).copied();
        for (key, count) in [
            (",\"received\":", seen.map(|t| t.received)),
            (",\"sent\":", seen.map(|t| t.sent)),
            (",\"received_bytes\":", seen.map(|t| t.received_bytes)),
            (",\"sent_bytes\":", seen.map(|t| t.sent_bytes)),
        ] {
            raw(&mut buf, key);
            opt_number(&mut buf, count);
        }
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
            remedy: None,
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
        let seen = Traffic { received: 7, ..Traffic::default() };
        let lines = json(&[lo(), evil], &HashMap::from([("lo".to_owned(), seen)]));
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first["addresses"][0], "127.0.0.1/8");
        assert_eq!(first["received"], 7);
        assert_eq!(
            (&first["loopback"], &first["problem"]),
            (&true.into(), &serde_json::Value::Null)
        );
    }
}
