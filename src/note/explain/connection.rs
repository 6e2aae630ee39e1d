//! Notes on connections: liveness, the end, and what the capture lacks.

use super::{BASE, Explanation, IDLE_TIMEOUTS, config};
use crate::note::Blame::{Capture, Client, Server};

pub(super) const PING: Explanation = Explanation {
    title: "A Ping was not answered",
    rule: "No Pong with the Ping's payload (or of a later Ping) came before the connection ended.",
    demands: "RFC 6455 §5.5.2: upon receipt of a Ping, an endpoint MUST send a Pong in response, unless it already received a Close. It may answer only the latest of several.",
    blames: &[Client, Server],
    who: "the receiver of the Ping, or the way to it",
    why: "The other end, or a hop, was gone or blocked: the most useful hint when a connection \"just dies\".",
    causes: &[
        "the peer's process hung (a blocked event loop) or its host went to sleep",
        "a NAT, firewall or mobile network dropped the flow without a word",
        "a proxy in between that reads but no longer forwards",
    ],
    fix: "Compare with when the last bytes came from that side. A heartbeat shorter than the shortest idle timeout on the way keeps the path open.",
    configs: IDLE_TIMEOUTS,
    ..BASE
};

pub(super) const PONG: Explanation = Explanation {
    title: "A Pong that nobody asked for",
    rule: "A Pong without a Ping before it, or with another payload.",
    demands: "RFC 6455 §5.5.3 allows it: \"A Pong frame MAY be sent unsolicited. This serves as a unidirectional heartbeat.\"",
    blames: &[Client, Server],
    who: "the sender",
    why: "Good to know; nothing is wrong.",
    causes: &[
        "a one-way heartbeat (.NET's ClientWebSocket sends them every 30 s)",
        "the Ping came before the capture began",
    ],
    fix: "Nothing to fix.",
    ..BASE
};

pub(super) const CLOSE_UNANSWERED: Explanation = Explanation {
    title: "A Close was not answered",
    rule: "One side sent a Close frame; the other ended TCP, or stayed silent, without sending its own.",
    demands: "RFC 6455 §5.5.1: an endpoint that receives a Close and has not sent one MUST send a Close in response, as soon as practical.",
    blames: &[Client, Server],
    who: "the receiver of the Close",
    why: "The closer can not know whether its last messages arrived, and waits for a timeout (30 s in ws for Node); the browser may report code 1006.",
    causes: &[
        "process.exit() or a kill right after the Close",
        "a peer that just ends TCP",
        "a side that had ended TCP before, often on an idle timeout (see no-close-frame): the Close only answers that",
        "a proxy that cuts as soon as it sees the Close, or a packet that the capture lacks",
    ],
    fix: "Let the library answer, and wait for its close event before ending the process.",
    configs: &[config(
        "Node",
        &[
            "process.on('SIGTERM', () => {",
            "  wss.clients.forEach((ws) => ws.close(1001));",
            "  setTimeout(() => process.exit(), 3000);",
            "});",
        ],
    )],
    ..BASE
};

pub(super) const NO_CLOSE: Explanation = Explanation {
    title: "TCP ended without a Close frame",
    rule: "A FIN, and no Close frame in either direction.",
    demands: "RFC 6455 §7.1.2: to start the closing handshake, an endpoint sends a Close frame; TCP is closed after it. Without it the peer reports 1006.",
    blames: &[Client, Server],
    who: "the side that sent the FIN",
    why: "Nobody is told why. Behind a proxy, an idle timeout mostly looks like this: each leg gets a FIN from the proxy.",
    causes: &[
        "an idle timeout of a proxy or load balancer (60 s is usual)",
        "a process that ended, a page that was closed, a deployment",
        "a server that calls socket.end() instead of close()",
    ],
    fix: "See how long it was silent before: if that is a round number, it is a timeout. Raise it, and send pings more often than it.",
    configs: IDLE_TIMEOUTS,
    ..BASE
};

pub(super) const RESET: Explanation = Explanation {
    title: "TCP was reset",
    rule: "An RST ended the connection without a closing handshake.",
    demands: "RFC 6455 §7.1.1: TCP should be closed cleanly, so that no data is lost. RFC 9293 §3.5.2: a reset says that the segment was not for a connection that exists (any more).",
    blames: &[Client, Server],
    who: "the side that sent the RST, or a hop in its name",
    why: "Data under way is lost in both directions. The peer reports 1006 or ECONNRESET.",
    causes: &[
        "a process killed with unread data in its socket",
        "a firewall, NAT or load balancer that forgot the flow (AWS NLB after 350 s idle)",
        "SO_LINGER 0, socket.destroy(), terminate()",
    ],
    fix: "See which side it came from, and its TTL against earlier packets of that side: a different one means a hop in between sent it.",
    configs: IDLE_TIMEOUTS,
    ..BASE
};

pub(super) const BYTES_MISSING: Explanation = Explanation {
    title: "Bytes are missing from the capture",
    rule: "The receiver acknowledged TCP bytes that are not in the capture.",
    demands: "RFC 9293 §3.4: every byte has its sequence number; acknowledged ones arrived, so it is the capture that lacks them.",
    blames: &[Capture],
    why: "Messages in the hole are missing or incomplete here, though not for the receiver. No peer is blamed.",
    causes: &[
        "the capturing machine could not keep up",
        "traffic that takes two ways, or a mirror port that is overloaded",
        "a capture filter that cuts out fragments or one direction",
    ],
    fix: "Capture on the host itself, with a narrower filter (-f 'tcp port 8088') and a larger buffer (-B 64).",
    ..BASE
};

pub(super) const RESYNC: Explanation = Explanation {
    title: "Frames found again after a gap",
    rule: "A hole in the capture covered a frame header; reading goes on where several consistent headers follow one another.",
    demands: "RFC 6455 §5.2: only headers tell where frames begin.",
    blames: &[Capture],
    why: "Messages between the gap and this place are not shown. What comes after can be relied on.",
    causes: &["packets missing from the capture"],
    fix: "As for bytes-missing.",
    ..BASE
};

pub(super) const OVERLAP: Explanation = Explanation {
    title: "Segments that overlap with different bytes",
    rule: "The same sequence numbers were sent twice with different content; the first is shown.",
    demands: "RFC 9293 §3.10.7.4: a retransmission carries the same bytes; which copy a receiver keeps is its own choice.",
    blames: &[Capture],
    who: "perhaps the sender, or somebody on the path",
    why: "What is shown may not be what the receiver read. It is also how inspection is evaded.",
    causes: &[
        "a faulty device or offload that rewrites payloads",
        "injected packets",
        "two connections mixed up in one capture",
    ],
    fix: "Capture at the receiver to see which copy arrived first.",
    ..BASE
};

pub(super) const SNAPPED: Explanation = Explanation {
    title: "Packets were cut by the snapshot length",
    rule: "The capture holds less of a packet than was on the wire.",
    demands: "pcapng §4.3: the captured length may be less than the original length, by the snapshot length chosen.",
    blames: &[Capture],
    why: "What was cut off counts as missing.",
    causes: &["tcpdump -s 96, or an old tcpdump with its default of 68 bytes"],
    fix: "Capture whole packets: -s 0.",
    ..BASE
};

pub(super) const CONTEXT_LOST: Explanation = Explanation {
    title: "Compression context lost with missing bytes",
    rule: "Behind a gap, compressed messages may refer to data that is not in the capture.",
    demands: "RFC 7692 §7.1.1: with context takeover, messages refer back to earlier ones.",
    blames: &[Capture],
    why: "Messages of this direction can not be inflated until one stands on its own; they are shown as incomplete.",
    causes: &["missing packets, or a capture that began in the middle of the connection"],
    fix: "Capture from the start, or switch context takeover off while debugging.",
    configs: &[config(
        "Node",
        &["perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true }"],
    )],
    ..BASE
};

pub(super) const UNDECRYPTABLE: Explanation = Explanation {
    title: "TLS that could not be read",
    rule: "The connection, or a part of it, is encrypted, and no key that is known opens it.",
    demands: "RFC 8446 §5.2: records are protected with keys that only the two ends have.",
    blames: &[Capture],
    why: "There may be WebSockets inside; they can not be shown.",
    causes: &[
        "wss:// without a key log",
        "a key log of another session, or of only some of the clients",
        "the capture began after the TLS handshake, which says which keys they are",
        "bytes that were damaged between the ends and the capture",
    ],
    fix: "Have the client or the server write its keys (SSLKEYLOGFILE) and name the file: wstap --keylog FILE. Or capture behind the TLS end, from proxy to server.",
    configs: &[config(
        "shell",
        &["SSLKEYLOGFILE=/tmp/keys.log chromium", "node --tls-keylog=/tmp/keys.log client.js"],
    )],
    ..BASE
};
