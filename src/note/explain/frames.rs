//! Notes on frames and messages.

use super::{BASE, Explanation, config};
use crate::note::Blame::{Capture, Client, Server};

pub(super) const CLIENT_UNMASKED: Explanation = Explanation {
    title: "A client frame is not masked",
    rule: "A frame from the client to the server has the MASK bit clear.",
    demands: "RFC 6455 §5.1: a client MUST mask all frames that it sends; the server MUST close the connection upon receiving a frame that is not masked.",
    blames: &[Client],
    why: "Masking keeps a malicious page from making bytes on the wire that an intermediary takes for HTTP. Servers close with 1002.",
    causes: &[
        "a hand-made client",
        "a server library used for the client's side",
        "a proxy that makes its own frames towards the server",
    ],
    fix: "Mask with a fresh random key for every frame, even an empty one.",
    ..BASE
};

pub(super) const SERVER_MASKED: Explanation = Explanation {
    title: "A server frame is masked",
    rule: "A frame from the server to the client has the MASK bit set.",
    demands: "RFC 6455 §5.1: a server MUST NOT mask any frames that it sends to the client; a client MUST close a connection if it detects a masked frame.",
    blames: &[Server],
    why: "Browsers close with 1002: \"A server must not mask any frames that it sends to the client.\"",
    causes: &[
        "a hand-made server that copies the client's framing",
        "a client library used for the server's side",
    ],
    fix: "Send frames of the server without MASK bit and key.",
    ..BASE
};

pub(super) const MASK_ZERO: Explanation = Explanation {
    title: "The masking key is zero",
    rule: "A client frame is masked with 00000000, which changes nothing.",
    demands: "RFC 6455 §5.3: the masking key needs to be unpredictable, derived from a strong source of entropy. Zero is a legal value once in 4 billion frames.",
    blames: &[Client],
    why: "The payload travels as it is, so the protection of proxies against chosen bytes is lost.",
    causes: &[
        "a client that saves the work of masking (embedded devices, load generators)",
        "a random generator that was never started",
    ],
    fix: "Take four fresh random bytes for every frame.",
    ..BASE
};

pub(super) const MASK_REUSED: Explanation = Explanation {
    title: "The same masking key again and again",
    rule: "Several frames of the client carry the same key.",
    demands: "RFC 6455 §5.3: when preparing a masked frame, the client MUST pick a fresh masking key from the set of allowed 32-bit values.",
    blames: &[Client],
    why: "A key that can be foreseen lets a page choose the bytes on the wire.",
    causes: &[
        "a constant key in a hand-made client",
        "a random generator seeded once and never advanced",
    ],
    fix: "Take four fresh random bytes for every frame.",
    ..BASE
};

pub(super) const RSV: Explanation = Explanation {
    title: "A reserved bit is set without an extension",
    rule: "RSV1, RSV2 or RSV3 is set, and no negotiated extension gives it a meaning.",
    demands: "RFC 6455 §5.2: they MUST be 0 unless an extension is negotiated that defines meanings for non-zero values; otherwise the receiving endpoint MUST fail the connection.",
    blames: &[Client, Server],
    who: "the sender, or a proxy that removed the extension from the handshake",
    why: "RSV1 mostly means a compressed message: the receiver did not agree to inflate and closes with 1002.",
    causes: &[
        "a proxy that removed Sec-WebSocket-Extensions from one direction of the handshake only",
        "a sender that compresses although the other side declined",
        "the receiver's stream is out of step, so that payload is read as a header",
    ],
    fix: "Switch compression off on the sender, or let both directions of the negotiation pass the proxy.",
    configs: &[
        config("Node", &["new WebSocketServer({ port: 8088, perMessageDeflate: false });"]),
        config("nginx", &["proxy_set_header Sec-WebSocket-Extensions \"\";    # off for both"]),
    ],
    ..BASE
};

pub(super) const OPCODE: Explanation = Explanation {
    title: "A reserved opcode",
    rule: "A frame with opcode 3 to 7 or 11 to 15.",
    demands: "RFC 6455 §5.2: if an unknown opcode is received, the receiving endpoint MUST fail the connection.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &[
        "a hand-made sender that counts message types in the opcode",
        "bytes that are not frames: a stream out of step",
    ],
    fix: "Use 1 (text) and 2 (binary), and put the type of a message into its payload.",
    ..BASE
};

pub(super) const CONTROL_FRAGMENTED: Explanation = Explanation {
    title: "A control frame without FIN",
    rule: "A Close, Ping or Pong whose FIN bit is clear.",
    demands: "RFC 6455 §5.4: control frames themselves MUST NOT be fragmented; §5.5 says so again.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &["a hand-made sender", "a sender that fragments everything"],
    fix: "Send control frames whole, with FIN and at most 125 bytes.",
    ..BASE
};

pub(super) const CONTROL_LONG: Explanation = Explanation {
    title: "A control frame with more than 125 bytes",
    rule: "A Close, Ping or Pong with an extended length.",
    demands: "RFC 6455 §5.5: all control frames MUST have a payload length of 125 bytes or less.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002; a long Close reason then hides the real error.",
    causes: &[
        "an error text or stack trace as the Close reason: it may have 123 bytes of UTF-8",
        "application data in pings",
    ],
    fix: "Cut the reason at 123 bytes, at a character's border; send more as a message before.",
    configs: &[config("Node", &["ws.close(1011, Buffer.from(text).subarray(0, 123).toString());"])],
    ..BASE
};

pub(super) const CONTINUATION: Explanation = Explanation {
    title: "A continuation frame without a message to continue",
    rule: "Opcode 0, although no fragmented message is open in this direction.",
    demands: "RFC 6455 §5.4: a fragmented message begins with a frame that has an opcode other than 0 and FIN clear; continuations come behind it.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &[
        "two threads writing to one socket without a lock",
        "a first fragment sent with FIN",
        "a proxy that lost the first frame after the handshake",
    ],
    fix: "Write messages from one place, one after the other.",
    ..BASE
};

pub(super) const INTERLEAVED: Explanation = Explanation {
    title: "A new message begins inside another",
    rule: "A text or binary frame, while a fragmented message is still open in this direction.",
    demands: "RFC 6455 §5.4: the fragments of one message MUST NOT be interleaved between the fragments of another message, unless an extension says how.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &[
        "several threads or tasks that stream messages on one socket",
        "continuations sent with opcode 1 instead of 0",
    ],
    fix: "Finish a message before the next begins; only control frames may come between.",
    ..BASE
};

pub(super) const LENGTH_NOT_MINIMAL: Explanation = Explanation {
    title: "A length in more bytes than it needs",
    rule: "An extended length of 16 or 64 bits holds a value that fits into fewer.",
    demands: "RFC 6455 §5.2: the minimal number of bytes MUST be used to encode the length.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Strict receivers close with 1002; middle boxes that look for patterns can be passed by.",
    causes: &["a hand-made sender that always writes 8 bytes", "an off-by-one at 125 or 65,535"],
    fix: "0 to 125 in 7 bits, to 65,535 in 16 bits, more in 64 bits.",
    ..BASE
};

pub(super) const LENGTH_OVERFLOW: Explanation = Explanation {
    title: "A length of 2^63 bytes or more",
    rule: "The top bit of the 64-bit length is set.",
    demands: "RFC 6455 §5.2: the most significant bit MUST be 0.",
    blames: &[Client, Server],
    who: "the sender",
    why: "No such payload can follow. Receivers close with 1002 or 1009.",
    causes: &[
        "a negative number written as the length",
        "bytes that are not a frame header: a stream out of step",
        "an attack on receivers that compute with it",
    ],
    fix: "Write the payload's real length.",
    ..BASE
};

pub(super) const UTF8: Explanation = Explanation {
    title: "A text message is not UTF-8",
    rule: "The payload of a text message, put together and inflated, is not valid UTF-8.",
    demands: "RFC 6455 §8.1: an endpoint that finds a byte stream that is not valid UTF-8 where it expects UTF-8 MUST fail the connection (1007).",
    blames: &[Client, Server],
    who: "the sender",
    why: "Browsers close at once: \"Could not decode a text frame as UTF-8.\"",
    causes: &[
        "binary data sent as text",
        "Latin-1 or another encoding",
        "a string cut in the middle of a character",
        "a lone surrogate from UTF-16",
    ],
    fix: "Send bytes as binary, and text as UTF-8, cut at characters.",
    configs: &[config("Node", &["ws.send(buffer, { binary: true });"])],
    ..BASE
};

pub(super) const CLOSE_LENGTH: Explanation = Explanation {
    title: "A Close with one byte of payload",
    rule: "The payload of a Close frame is a single byte.",
    demands: "RFC 6455 §5.5.1: if there is a body, the first two bytes MUST be a status code.",
    blames: &[Client, Server],
    who: "the sender",
    why: "The code can not be read; receivers close with 1002.",
    causes: &["a hand-made sender that writes the code in one byte"],
    fix: "Send no payload, or the code as two bytes in network order.",
    ..BASE
};

pub(super) const CLOSE_CODE: Explanation = Explanation {
    title: "A Close with a status code that must not be sent",
    rule: "The code is below 1000, reserved (1004, 1005, 1006, 1015), not assigned (1016 to 2999), or above 4999.",
    demands: "RFC 6455 §7.4: 1005, 1006 and 1015 MUST NOT be set in a Close frame by an endpoint; 0 to 999 are not used; 3000 to 3999 are registered, 4000 to 4999 private.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers fail the connection with 1002, and the real reason is lost.",
    causes: &[
        "a proxy or bridge that passes on 1006 or 1005, which its library reported",
        "an HTTP status as the code",
        "an application's own numbers below 4000",
    ],
    fix: "Use 1000, 1001, 1011 and the like, or 4000 to 4999 for your own.",
    configs: &[config(
        "Node",
        &[
            "// 1005 and 1006 are what the library says, not what is sent:",
            "peer.close(code === 1005 || code === 1006 ? 1011 : code, reason);",
        ],
    )],
    ..BASE
};

pub(super) const CLOSE_REASON: Explanation = Explanation {
    title: "The reason of a Close is not UTF-8",
    rule: "The bytes behind the status code are not valid UTF-8.",
    demands: "RFC 6455 §5.5.1: following the 2-byte integer, the body MAY contain UTF-8-encoded data.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers fail the connection with 1007 or 1002, and the reason is lost.",
    causes: &["a reason cut at 123 bytes in the middle of a character", "another encoding"],
    fix: "Cut at a character's border, encode as UTF-8.",
    ..BASE
};

pub(super) const DATA_AFTER_CLOSE: Explanation = Explanation {
    title: "Data after the Close",
    rule: "The same side sent a data frame behind its Close frame.",
    demands: "RFC 6455 §5.5.1: the application MUST NOT send any more data frames after sending a Close frame.",
    blames: &[Client, Server],
    who: "the sender",
    why: "The peer ignores it: the message is lost, although send() may have reported success.",
    causes: &["a race between a sending task and the one that closes", "a hand-made sender"],
    fix: "Stop sending before close(); what must arrive needs an answer of the application.",
    ..BASE
};

pub(super) const CONTROL_AFTER_CLOSE: Explanation = Explanation {
    title: "A control frame after the Close",
    rule: "A Ping, a Pong that answers nothing or comes when the peer's Close was there too, or a second Close, of the side that had sent its Close already.",
    demands: "RFC 6455 §5.5.1 forbids data after the Close; §1.4 has it that nothing more follows it. Only a Pong is still due (§5.5.2) while the peer's Close has not come.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Harmless mostly: the peer ignores it.",
    causes: &[
        "a heartbeat timer that was not stopped",
        "an automatic pong that crosses the peer's Close",
    ],
    fix: "Stop the timer when closing.",
    ..BASE
};

pub(super) const FRAME_CUT: Explanation = Explanation {
    title: "The connection ended inside a frame",
    rule: "TCP ended before all bytes that a frame header announced.",
    demands: "RFC 6455 §7.1.1: TCP is closed after the closing handshake; a frame cut off is an abnormal end (1006).",
    blames: &[Client, Server],
    who: "who ended TCP first, or a hop in its name",
    why: "The last message is lost.",
    causes: &[
        "a process killed while it was writing",
        "a limit or timeout of a proxy",
        "a wrong length in the frame header",
    ],
    fix: "See who ended TCP (the end's cause), and that side's log.",
    ..BASE
};

pub(super) const UNFINISHED: Explanation = Explanation {
    title: "The connection ended inside a fragmented message",
    rule: "The last fragment (FIN) of a message never came.",
    demands: "RFC 6455 §5.4: a fragmented message ends with a frame that has FIN set.",
    blames: &[Client, Server],
    who: "who ended TCP first, or a hop in its name",
    why: "The receiver discards what it has: the message is lost.",
    causes: &["a stream that was aborted", "a process that ended", "a sender that never sets FIN"],
    fix: "End every stream, or send data in messages of their own.",
    ..BASE
};

pub(super) const NOT_WEBSOCKET: Explanation = Explanation {
    title: "These bytes are no frames",
    rule: "After the handshake comes something that can not be read as frames.",
    demands: "RFC 6455 §5.2: after a successful handshake both sides send frames, and nothing else.",
    blames: &[Client, Server, Capture],
    who: "the sender; the capture where it lacks the handshake",
    why: "The receiver is out of step at once and closes with 1002, or hangs waiting for a frame of absurd length.",
    causes: &[
        "an HTTP body or error page behind the 101",
        "raw TCP sent over the upgraded socket (a bridge that forgot the framing)",
        "a proxy that mixes two connections",
    ],
    fix: "Look at the first bytes: they mostly tell what they are.",
    ..BASE
};

pub(super) const COMPRESSED_CONTROL: Explanation = Explanation {
    title: "A compressed control frame",
    rule: "A Close, Ping or Pong with RSV1 set.",
    demands: "RFC 7692 §6.1: an endpoint MUST NOT set the \"Per-Message Compressed\" bit of control frames.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &["a sender that compresses every frame alike"],
    fix: "Compress data messages only.",
    ..BASE
};

pub(super) const COMPRESSED_CONTINUATION: Explanation = Explanation {
    title: "RSV1 on a continuation frame",
    rule: "A fragment other than the first has RSV1 set.",
    demands: "RFC 7692 §6.1: the bit is set on the first fragment of a message; an endpoint MUST NOT set it on the others.",
    blames: &[Client, Server],
    who: "the sender",
    why: "Receivers close with 1002.",
    causes: &[
        "a sender that compresses fragment by fragment (the older x-webkit-deflate-frame did)",
    ],
    fix: "Compress the whole message, then cut it into fragments.",
    ..BASE
};

pub(super) const INFLATE: Explanation = Explanation {
    title: "A compressed message can not be inflated",
    rule: "The payload is not valid DEFLATE data.",
    demands: "RFC 7692 §7.2.1: the sender compresses with DEFLATE and removes 00 00 ff ff from the end. §7.2.2: the receiver appends them and inflates.",
    blames: &[Client, Server, Capture],
    who: "the sender; the capture where it lacks what was agreed",
    why: "The receiver closes, with 1007 or 1002, and everything after it is lost.",
    causes: &[
        "gzip or zlib headers around the data: it must be raw DEFLATE",
        "a sender whose compressor was reset although context takeover was agreed, or not reset although it was declined",
        "an empty message sent as no bytes at all: a second flush gives zlib nothing to write, and the byte 00 has to be sent (RFC 7692 §7.2.3.6)",
        "messages compressed in one order and sent in another",
        "a proxy that changed payload bytes",
    ],
    fix: "Use raw DEFLATE with Z_SYNC_FLUSH, cut off the last four bytes, and keep order and context as agreed.",
    configs: &[config(
        "Node",
        &["zlib.createDeflateRaw(), then flush(zlib.constants.Z_SYNC_FLUSH)"],
    )],
    ..BASE
};

pub(super) const WINDOW: Explanation = Explanation {
    title: "Data refers further back than the agreed window",
    rule: "A compressed message uses a distance beyond max_window_bits of its sender.",
    demands: "RFC 7692 §7.1.2: the sender limits its LZ77 window to 2^n bytes as negotiated.",
    blames: &[Client, Server],
    who: "the sender",
    why: "A receiver that allocated only the agreed window can not inflate, and closes.",
    causes: &[
        "a compressor made with 15 bits whatever was agreed",
        "zlib, which can not do 8 bits and silently uses 9",
        "a proxy that changed the parameter in the handshake",
    ],
    fix: "Make the compressor with the agreed size, or do not agree to a smaller one.",
    configs: &[config("Node", &["perMessageDeflate: { serverMaxWindowBits: 15 }"])],
    ..BASE
};

pub(super) const TAKEOVER: Explanation = Explanation {
    title: "Data refers to earlier messages although that was ruled out",
    rule: "A compressed message needs the context of one before it, while no_context_takeover was agreed for its sender.",
    demands: "RFC 7692 §7.1.1: with the parameter agreed, the sender MUST NOT use the LZ77 window of earlier messages.",
    blames: &[Client, Server],
    who: "the sender",
    why: "A receiver that dropped the context can not inflate, and closes.",
    causes: &[
        "a sender that ignores the parameter",
        "a proxy that added or removed it in the handshake",
    ],
    fix: "Reset the compressor at each message, or negotiate without the parameter.",
    ..BASE
};

pub(super) const INFLATE_LIMIT: Explanation = Explanation {
    title: "A compressed message grows beyond the limit",
    rule: "wstap stopped inflating at its budget and shows the message as incomplete.",
    demands: "RFC 6455 §10.4: implementations MUST protect themselves against messages that are too large; a few kilobytes can inflate to gigabytes.",
    blames: &[Capture],
    who: "perhaps an attack by the sender",
    why: "The rest of the message is not shown. A server without a limit of its own can be brought down with such a message.",
    causes: &["an inflate bomb", "a very large message that compresses well"],
    fix: "To see it whole, raise the limit (--max-message). On the server, set one.",
    configs: &[config("Node", &["new WebSocketServer({ port: 8088, maxPayload: 1024 * 1024 });"])],
    ..BASE
};

pub(super) const MESSAGE_LIMIT: Explanation = Explanation {
    title: "A message is larger than what is kept",
    rule: "wstap keeps so many bytes of a message and counts the rest.",
    demands: "RFC 6455 §10.4 recommends limits on the size of frames and messages.",
    blames: &[Capture],
    why: "The message is shown as incomplete; lengths and everything behind it are right.",
    causes: &["a file sent as one message"],
    fix: "Raise the limit: --max-message 256M.",
    ..BASE
};
