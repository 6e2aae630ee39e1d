//! Proxies that do wrong, each in one way.
//!
//! They pass heads on byte for byte and frames as they are, but for their fault: whatever else
//! `diff` told would be unfounded.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::peers::{Client, Server, TEXTS};
use crate::tap::{PATIENCE, Tap, altered};

/// What is wrong with a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Takes Upgrade for its own and drops it.
    StripsUpgrade,
    /// A key of its own to the server, the server's accept to the client.
    SwapsKey,
    /// A key of its own to the server, and the accept put right: no fault, but hard to pair.
    OwnHandshake,
    Rewrites,
    Drops,
    Injects,
    Reorders,
    Refragments,
    ChangesClose,
    /// Forgets what it had read beyond the server's 101.
    LosesFirst,
    /// Answers 502 without asking the server.
    Answers502,
    /// Answers 502 though the server had said 101.
    Spoils101,
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// The client's port on both legs.
    legs: Arc<Mutex<BTreeSet<(u16, u16)>>>,
}

impl Proxy {
    pub(crate) fn start(fault: Fault, upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let legs = Arc::new(Mutex::new(BTreeSet::new()));
        let proxy = Self { port, legs: Arc::clone(&legs) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let legs = Arc::clone(&legs);
                // What ends a connection is no fault of the proxy.
                thread::spawn(move || carry(fault, &stream, upstream, &legs));
            }
        });
        proxy
    }

    /// The client's port on both legs of every connection so far.
    pub(crate) fn legs(&self) -> BTreeSet<(u16, u16)> {
        self.legs.lock().unwrap().clone()
    }
}

fn carry(
    fault: Fault,
    client: &TcpStream,
    upstream: SocketAddr,
    legs: &Mutex<BTreeSet<(u16, u16)>>,
) -> io::Result<()> {
    let mut request = head(client)?;
    let bad_gateway = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    if fault == Fault::Answers502 {
        return (&*client).write_all(bad_gateway.as_bytes());
    }
    let key = value(&request, "Sec-WebSocket-Key");
    let own_key = tungstenite::handshake::client::generate_key();
    match fault {
        Fault::StripsUpgrade => request = request.replace("Upgrade: websocket\r\n", ""),
        Fault::SwapsKey | Fault::OwnHandshake => request = request.replace(&key, &own_key),
        _ => {}
    }
    let server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    for stream in [&server, client] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    legs.lock().unwrap().insert((client.peer_addr()?.port(), server.local_addr()?.port()));
    (&server).write_all(request.as_bytes())?;
    let mut response = head(&server)?;
    match fault {
        Fault::Spoils101 => bad_gateway.clone_into(&mut response),
        Fault::OwnHandshake => {
            let accept = value(&response, "Sec-WebSocket-Accept");
            let right = tungstenite::handshake::derive_accept_key(key.as_bytes());
            response = response.replace(&accept, &right);
        }
        _ => {}
    }
    (&*client).write_all(response.as_bytes())?;
    if !response.starts_with("HTTP/1.1 101 ") {
        return Ok(());
    }
    thread::scope(|scope| {
        scope.spawn(|| pass_on(fault, true, client, &server));
        scope.spawn(|| pass_on(fault, false, &server, client));
    });
    Ok(())
}

/// A head, and not a byte more.
fn head(mut from: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

fn value(head: &str, name: &str) -> String {
    let field = |line: &str| -> Option<String> {
        let (n, value) = line.split_once(": ")?;
        n.eq_ignore_ascii_case(name).then(|| value.to_owned())
    };
    head.lines().find_map(field).unwrap()
}

/// A frame, unmasked. Those of this test have at most 125 bytes of payload.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    fin: bool,
    opcode: u8,
    payload: Vec<u8>,
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;

impl Frame {
    fn text(text: &str) -> Self {
        Self { fin: true, opcode: TEXT, payload: text.into() }
    }

    fn read(mut from: &TcpStream) -> io::Result<Self> {
        let mut start = [0; 2];
        from.read_exact(&mut start)?;
        let [first, second] = start;
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            from.read_exact(&mut mask)?;
        }
        let len = second & 0x7f;
        assert!(len <= 125, "longer than this test needs");
        let mut payload = vec![0; len.into()];
        from.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        Ok(Self { fin: first & 0x80 != 0, opcode: first & 0x0f, payload })
    }

    /// RFC 6455 section 5.3: to the server with a mask, of the proxy's own.
    fn bytes(&self, masked: bool) -> Vec<u8> {
        let len = u8::try_from(self.payload.len()).unwrap();
        let mut bytes = vec![u8::from(self.fin) << 7 | self.opcode, u8::from(masked) << 7 | len];
        let mask: [u8; 4] = if masked { [0x37, 0xfa, 0x21, len] } else { [0; 4] };
        bytes.extend_from_slice(if masked { &mask } else { &[] });
        bytes.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// Frames of one direction, until it ends.
fn pass_on(fault: Fault, to_server: bool, from: &TcpStream, mut to: &TcpStream) {
    let mut held = None;
    let mut messages = 0;
    while let Ok(frame) = Frame::read(from) {
        messages += usize::from(frame.opcode < CLOSE);
        let frames = if fault == Fault::LosesFirst && !to_server && messages == 1 {
            Vec::new()
        } else if to_server {
            spoil(fault, frame, &mut held)
        } else {
            vec![frame]
        };
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(to_server)).collect();
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// What a frame from the client becomes.
fn spoil(fault: Fault, mut frame: Frame, held: &mut Option<Frame>) -> Vec<Frame> {
    let is = |text: &str| frame.opcode == TEXT && frame.payload == text.as_bytes();
    match fault {
        Fault::Rewrites if is(TEXTS[0]) => vec![Frame::text("pay mallory 100")],
        Fault::Drops if is(TEXTS[1]) => vec![],
        Fault::Injects if is(TEXTS[1]) => vec![frame, Frame::text("and something of my own")],
        Fault::Reorders if is(TEXTS[1]) => {
            *held = Some(frame);
            vec![]
        }
        Fault::Reorders if is(TEXTS[2]) => {
            [Some(frame), held.take()].into_iter().flatten().collect()
        }
        Fault::Refragments if is(TEXTS[2]) => {
            let rest = frame.payload.split_off(3);
            let first = Frame { fin: false, ..frame };
            vec![first, Frame { fin: true, opcode: 0, payload: rest }]
        }
        Fault::ChangesClose if frame.opcode == CLOSE => {
            // 1000 becomes 1001.
            frame.payload[1] = 0xe9;
            vec![frame]
        }
        _ => vec![frame],
    }
}

/// One connection through such a proxy: what `diff` finds must be this, all of it, and no more.
fn assert_finds(fault: Fault, opens: bool, unexpected: &[&str], expected: &[&str]) {
    let server = Server::start((fault == Fault::LosesFirst).then_some("welcome"));
    let proxy = Proxy::start(fault, server.address);
    let Some(tap) = Tap::on(&[proxy.port, server.port()]) else { return };
    let client = Client::open(proxy.port, "/bank");
    assert_eq!(client.is_some(), opens);
    if let Some(client) = client {
        client.converse("hello");
    }
    let forwarded = fault != Fault::Answers502;
    let diff = tap.diff(1 + usize::from(forwarded), &[]);
    let own = |list: &[&str]| -> BTreeSet<String> { list.iter().map(|&s| s.to_owned()).collect() };
    assert_eq!(altered(diff.pair(), false), own(unexpected), "{}", diff.text);
    assert_eq!(altered(diff.pair(), true), own(expected), "{}", diff.text);
    assert!(diff.unpaired.is_empty(), "{}", diff.text);
    if forwarded {
        assert_eq!(diff.ports(), proxy.legs());
    } else {
        assert!(diff.pair()["server_leg"].is_null() && diff.pair()["server_addr"].is_null());
    }
    assert_eq!(diff.status, i32::from(!unexpected.is_empty()), "{}", diff.text);
}

#[test]
fn a_proxy_without_a_fault_alters_nothing() {
    assert_finds(Fault::None, true, &[], &[]);
}

#[test]
fn upgrade_stripped() {
    assert_finds(Fault::StripsUpgrade, false, &["header-removed upgrade"], &[]);
}

#[test]
fn key_swapped_without_its_accept() {
    let want = ["key-regenerated sec-websocket-key", "accept-forged sec-websocket-accept"];
    assert_finds(Fault::SwapsKey, false, &want, &[]);
}

#[test]
fn key_swapped_with_its_accept_is_what_a_proxy_may_do() {
    let want = ["key-regenerated sec-websocket-key", "accept-regenerated sec-websocket-accept"];
    assert_finds(Fault::OwnHandshake, true, &[], &want);
}

#[test]
fn text_rewritten() {
    assert_finds(Fault::Rewrites, true, &["message-changed c2s 2"], &[]);
}

#[test]
fn message_dropped() {
    assert_finds(Fault::Drops, true, &["message-lost c2s 3"], &[]);
}

#[test]
fn message_injected() {
    assert_finds(Fault::Injects, true, &["message-injected c2s 4"], &[]);
}

#[test]
fn messages_reordered() {
    assert_finds(Fault::Reorders, true, &["message-reordered c2s 3"], &[]);
}

#[test]
fn message_refragmented() {
    assert_finds(Fault::Refragments, true, &[], &["refragmented c2s 4"]);
}

#[test]
fn close_code_changed() {
    assert_finds(Fault::ChangesClose, true, &["close-changed c2s 7"], &[]);
}

#[test]
fn first_frame_after_the_101_lost() {
    assert_finds(Fault::LosesFirst, true, &["message-lost s2c 1"], &[]);
}

#[test]
fn answer_made_by_the_proxy_itself() {
    assert_finds(Fault::Answers502, false, &["not-forwarded request"], &[]);
}

#[test]
fn answer_of_the_server_replaced() {
    let own = [
        "header-removed connection",
        "header-removed upgrade",
        "header-removed sec-websocket-accept",
        "header-added content-length",
    ];
    assert_finds(Fault::Spoils101, false, &["status-changed response"], &own);
}
