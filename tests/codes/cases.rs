//! How the codes are fired that no sample fires.

use std::io::Write as _;

use crate::wire::{
    ACCEPT, KEY, Tcp, ToClient, ToServer, Way, Wire, answer, answer_with, closing, frame, request,
    request_with, text,
};

type Case = (&'static str, fn() -> Wire);

/// A code, and a capture that fires it.
pub(crate) const CASES: &[Case] = &[
    ("upgrade-missing", || handshake(&replaced(&request(""), "websocket", "h2c"), &answer(""))),
    ("subprotocol-duplicate", || {
        let asked = request("Sec-WebSocket-Protocol: chat, chat\r\n");
        handshake(&asked, &answer("Sec-WebSocket-Protocol: chat\r\n"))
    }),
    ("early-frames", early_frames),
    ("extension-syntax", || {
        let asked = request("Sec-WebSocket-Extensions: permessage-deflate; =15\r\n");
        handshake(&asked, &answer(""))
    }),
    ("proxy-protocol", || {
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n";
        handshake(&[&header[..], &request("")].concat(), &answer(""))
    }),
    ("hop-by-hop-in-h2", hop_by_hop),
    ("handshake-unseen", handshake_unseen),
    ("inflate-limit", || message(0xc1, &deflated(&vec![0; (32 << 20) + 1]))),
    ("message-limit", || message(0x82, &vec![7; (64 << 20) + 1])),
    ("ping-unanswered", ping_unanswered),
    ("resynchronised", resynchronised),
    ("overlap-conflict", overlap_conflict),
    ("key-regenerated", own_handshake),
    ("accept-regenerated", own_handshake),
    ("accept-forged", || {
        let forged = answer_with("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "");
        proxied([&request(""), &request("")], [&forged, &answer("")])
    }),
    ("subprotocol-changed", || {
        let asked = [request("Sec-WebSocket-Protocol: a, b\r\n"), request("")];
        proxied([&asked[0], &asked[1]], [&answer(""), &answer("")])
    }),
    ("extensions-changed", || {
        let asked = [request("Sec-WebSocket-Extensions: permessage-deflate\r\n"), request("")];
        proxied([&asked[0], &asked[1]], [&answer(""), &answer("")])
    }),
    ("status-changed", || {
        let own = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        proxied([&request(""), &request("")], [own, &answer("")])
    }),
    ("message-lost", || talk(ToServer, &three(), &[0, 2].map(|n| three()[n].clone()))),
    ("message-injected", || {
        let own = text(ToServer, "and one of the proxy");
        talk(ToServer, &three(), &[three(), vec![own], three()].concat()[..4])
    }),
    ("message-reordered", || talk(ToServer, &three(), &[0, 2, 1].map(|n| three()[n].clone()))),
    ("refragmented", || {
        let parts = [frame(ToServer, 0x01, b"tw"), frame(ToServer, 0x80, b"o")];
        let [one, two, three] = three().try_into().unwrap();
        talk(ToServer, &[one.clone(), two, three.clone()], &[&[one][..], &parts, &[three]].concat())
    }),
    ("recompressed", recompressed),
    ("close-changed", || talk(ToServer, &[closing(ToServer, 1000)], &[closing(ToServer, 1001)])),
];

/// What takes TLS and a key log of its own to fire: see the test of that.
pub(crate) const SEALED: &str = "undecryptable";

fn replaced(head: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(head.to_vec()).unwrap().replace(from, to).into_bytes()
}

/// One handshake, and a clean end.
fn handshake(request: &[u8], answer: &[u8]) -> Wire {
    let (mut wire, mut tcp) = (Wire::new(), Tcp::new(40001, 80));
    wire.open(&mut tcp);
    wire.send(&mut tcp, ToServer, request);
    wire.send(&mut tcp, ToClient, answer);
    wire.close(&mut tcp, ToServer);
    wire
}

/// A connection that is open.
fn opened(more: &str) -> (Wire, Tcp) {
    let (mut wire, mut tcp) = (Wire::new(), Tcp::new(40001, 80));
    wire.open(&mut tcp);
    wire.send(&mut tcp, ToServer, &request(more));
    wire.send(&mut tcp, ToClient, &answer(more));
    (wire, tcp)
}

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// One message of the server.
fn message(first: u8, payload: &[u8]) -> Wire {
    let (mut wire, mut tcp) = opened(if first & 0x40 == 0 { "" } else { DEFLATE });
    wire.send(&mut tcp, ToClient, &frame(ToClient, first, payload));
    wire.close(&mut tcp, ToServer);
    wire
}

/// RFC 7692 section 7.2.1: raw DEFLATE, flushed, without the four bytes that end it.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.flush().unwrap();
    let out = encoder.get_ref();
    out.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().to_vec()
}

/// The client sends a frame before the server has answered.
fn early_frames() -> Wire {
    let (mut wire, mut tcp) = (Wire::new(), Tcp::new(40001, 80));
    wire.open(&mut tcp);
    wire.send(&mut tcp, ToServer, &[request(""), text(ToServer, "too early")].concat());
    wire.send(&mut tcp, ToClient, &answer(""));
    wire.close(&mut tcp, ToServer);
    wire
}

/// A gateway copies Connection into HTTP/2.
fn hop_by_hop() -> Wire {
    let (mut wire, mut tcp) = (Wire::new(), Tcp::new(40001, 80));
    wire.open(&mut tcp);
    wire.send(&mut tcp, ToServer, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    wire.send(&mut tcp, ToClient, b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01");
    // RFC 7541: literals without indexing, then :path / and :scheme http by their static index.
    let fields =
        b"\x02\x07CONNECT\x00\x09:protocol\x09websocket\x84\x86\x00\x0aconnection\x07Upgrade";
    let head = [0, 0, u8::try_from(fields.len()).unwrap(), 1, 4, 0, 0, 0, 1];
    wire.send(&mut tcp, ToServer, &[&head[..], fields].concat());
    // :status 200.
    wire.send(&mut tcp, ToClient, b"\0\0\x01\x01\x04\0\0\0\x01\x88");
    wire.close(&mut tcp, ToServer);
    wire
}

/// The capture began in the midst of a connection.
fn handshake_unseen() -> Wire {
    let (mut wire, mut tcp) = (Wire::new(), Tcp::new(40001, 80));
    for n in 0..8 {
        wire.send(&mut tcp, ToServer, &text(ToServer, &format!("{{\"n\": {n}, \"ask\": true}}")));
        wire.send(&mut tcp, ToClient, &text(ToClient, &format!("{{\"n\": {n}, \"ok\": true}}")));
    }
    wire.close(&mut tcp, ToServer);
    wire
}

/// The server pings twice, the client says something else.
fn ping_unanswered() -> Wire {
    let (mut wire, mut tcp) = opened("");
    for payload in [b"1", b"2"] {
        wire.send(&mut tcp, ToClient, &frame(ToClient, 0x89, payload));
    }
    wire.wait(5);
    wire.send(&mut tcp, ToServer, &text(ToServer, "busy"));
    wire.close(&mut tcp, ToClient);
    wire
}

/// The capture lacks the end of one frame and the header of the next.
fn resynchronised() -> Wire {
    let (mut wire, mut tcp) = opened("");
    for n in 0..12 {
        if n == 3 {
            tcp.skip(ToClient, 40);
        }
        wire.send(&mut tcp, ToClient, &text(ToClient, &format!("{{\"tick\": {n}}}")));
    }
    wire.send(&mut tcp, ToServer, &closing(ToServer, 1000));
    wire.send(&mut tcp, ToClient, &closing(ToClient, 1000));
    wire.close(&mut tcp, ToServer);
    wire
}

/// The same place in the stream, sent twice with different bytes.
fn overlap_conflict() -> Wire {
    let (mut wire, mut tcp) = opened("");
    let first = text(ToClient, "pay alice");
    wire.send(&mut tcp, ToClient, &first);
    tcp.back(ToClient, u32::try_from(first.len()).unwrap());
    wire.send(&mut tcp, ToClient, &text(ToClient, "pay chuck"));
    wire.close(&mut tcp, ToServer);
    wire
}

/// Both legs of a proxy on 8080 before a server on 8088, for heads (client leg, server leg).
fn legs(requests: [&[u8]; 2], answers: [&[u8]; 2]) -> (Wire, [Tcp; 2]) {
    let (mut wire, mut tcp) = (Wire::new(), [Tcp::new(40001, 8080), Tcp::new(50001, 8088)]);
    for (tcp, request) in tcp.iter_mut().zip(requests) {
        wire.open(tcp);
        wire.send(tcp, ToServer, request);
    }
    for (tcp, answer) in tcp.iter_mut().zip(answers).rev() {
        wire.send(tcp, ToClient, answer);
    }
    (wire, tcp)
}

fn ended((mut wire, mut tcp): (Wire, [Tcp; 2])) -> Wire {
    for tcp in &mut tcp {
        wire.close(tcp, ToServer);
    }
    wire
}

/// A proxied handshake and nothing more.
fn proxied(requests: [&[u8]; 2], answers: [&[u8]; 2]) -> Wire {
    ended(legs(requests, answers))
}

/// A key of the proxy's own, with an accept that fits the client's: the example of RFC 6455 on
/// the client leg, that of its section 4.1 on the other.
fn own_handshake() -> Wire {
    let key = "AQIDBAUGBwgJCgsMDQ4PEA==";
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    assert_eq!(tungstenite::handshake::derive_accept_key(KEY.as_bytes()), ACCEPT);
    proxied([&request(""), &request_with(key, "")], [&answer(""), &answer_with(&accept, "")])
}

fn three() -> Vec<Vec<u8>> {
    ["one", "two", "three"].map(|word| text(ToServer, word)).to_vec()
}

/// Frames that come to the proxy, and what it passes on.
fn talk(way: Way, come: &[Vec<u8>], go: &[Vec<u8>]) -> Wire {
    let (mut wire, mut tcp) = legs([&request(""), &request("")], [&answer(""), &answer("")]);
    let order = if way == ToServer { [0, 1] } else { [1, 0] };
    for (leg, frames) in order.into_iter().zip([come, go]) {
        for frame in frames {
            wire.send(&mut tcp[leg], way, frame);
        }
    }
    ended((wire, tcp))
}

/// Compressed by the client, passed on as it is meant.
fn recompressed() -> Wire {
    let asked = [request(DEFLATE), request("")];
    let (mut wire, mut tcp) = legs([&asked[0], &asked[1]], [&answer(DEFLATE), &answer("")]);
    let words = "again and again and again and again";
    let packed = frame(ToServer, 0xc1, &deflated(words.as_bytes()));
    wire.send(&mut tcp[0], ToServer, &packed);
    wire.send(&mut tcp[1], ToServer, &text(ToServer, words));
    ended((wire, tcp))
}
