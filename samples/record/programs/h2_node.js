// WebSockets over cleartext HTTP/2 (RFC 8441) with node's own http2 at both ends: h2_node.js server PORT | client PORT ENABLED
"use strict";
const http2 = require("http2"), crypto = require("crypto");
const log = e => require("fs").appendFileSync(process.env.CORPUS_LOG || "/dev/null", JSON.stringify({ t: Date.now() / 1000, ...e }) + "\n");
const msg = (ids, dir, op, data) => log({ ev: "msg", ...ids, dir, act: "recv", kind: OP[op], len: data.length, sha256: crypto.createHash("sha256").update(data).digest("hex") });
const OP = { 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };
function frame(op, data, masked) {
  const n = data.length, head = [0x80 | op];
  if (n < 126) head.push(n); else if (n < 65536) head.push(126, n >> 8, n & 255); else throw new Error("too long");
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  head[1] |= 0x80;
  const key = crypto.randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, Buffer.from(data).map((b, i) => b ^ key[i & 3])]);
}
function reader(each) {
  let held = Buffer.alloc(0);
  return chunk => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < 2) return;
      let n = held[1] & 127, at = 2;
      if (n === 126) { if (held.length < 4) return; n = held.readUInt16BE(2); at = 4; }
      const key = held[1] & 128 ? held.subarray(at, at += 4) : null;
      if (held.length < at + n) return;
      let data = Buffer.from(held.subarray(at, at + n));
      if (key) data = data.map((b, i) => b ^ key[i & 3]);
      const op = held[0] & 15;
      held = held.subarray(at + n);
      each(op, Buffer.from(data));
    }
  };
}
function server(port, enabled) {
  const s = http2.createServer({ settings: { enableConnectProtocol: enabled, headerTableSize: 256 } });
  let refused = 0;
  s.on("stream", (stream, h) => {
    stream.on("error", () => {});
    const path = h[":path"];
    if (h[":method"] !== "CONNECT") { stream.respond({ ":status": 200, "content-type": "text/plain" }); return stream.end("plain\n"); }
    if (path === "/forbidden") { stream.respond({ ":status": 403 }, { endStream: true }); return; }
    if (path === "/refused" && !refused++) return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (path === "/hints") stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
    const protocol = (h["sec-websocket-protocol"] || "").split(",")[0].trim();
    stream.respond({ ":status": 200, ...(protocol ? { "sec-websocket-protocol": protocol } : {}) });
    const ids = { role: "server", cport: stream.session.socket.remotePort, sport: port, h2_stream: stream.id };
    stream.on("data", reader((op, data) => {
      msg(ids, "c2s", op, data);
      if (op === 9) stream.write(frame(10, data, false));
      else if (op === 8) { stream.write(frame(8, data, false)); stream.end(); }
      else stream.write(frame(op, op === 1 ? Buffer.from(data.toString().toUpperCase()) : data, false));
    }));
    stream.on("end", () => stream.end());
  });
  s.listen(port, "127.0.0.1");
}
async function client(port, early) {
  const c = http2.connect("http://127.0.0.1:" + port);
  c.on("error", () => {});
  if (!early) await new Promise(r => c.once("remoteSettings", r));
  const open = (path, more = {}, masked = true) => new Promise(done => {
    const s = c.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": path, "sec-websocket-version": "13", origin: "http://localhost", ...more }, { endStream: false });
    const got = []; let wake = () => {};
    s.on("error", () => {}); s.on("close", () => { wake(); done(null); });
    const ids = () => ({ role: "client", cport: c.socket.localPort, sport: port, h2_stream: s.id });
    s.on("response", h => {
      log({ ev: "open", ...ids(), target: path, status: h[":status"], subprotocol: h["sec-websocket-protocol"] || null, extensions: null });
      if (h[":status"] !== 200) return done(null);
      done({
        s, send: (op, data) => s.write(frame(op, Buffer.from(data), true)),
        recv: () => new Promise(r => { const f = () => got.length ? r(got.shift()) : (wake = f); f(); }),
        over: () => new Promise(r => s.closed ? r() : s.once("close", r)),
      });
    });
    s.on("data", reader((op, data) => { msg(ids(), "s2c", op, data); got.push(data); wake(); }));
  });
  const close = (code, text) => { const b = Buffer.alloc(2 + text.length); b.writeUInt16BE(code); b.write(text, 2); return b; };
  if (early) { await open("/not-enabled"); c.close(); return; }
  const plain = c.request({ ":path": "/" }); plain.resume(); await new Promise(r => plain.once("end", r));
  const a = await open("/chat", { "sec-websocket-protocol": "chat.v2, chat.v1" }), b = await open("/hints");
  a.send(1, "over one TCP connection"); b.send(1, "as well"); await a.recv(); await b.recv();
  a.send(9, "ping"); await a.recv();
  b.send(2, Buffer.alloc(20000, "0123456789")); await b.recv();
  a.send(8, close(1000, "done")); await a.recv(); a.s.end(); await a.over();
  await open("/forbidden");
  await open("/refused"); const r = await open("/refused?again");
  r.send(1, "the second time"); await r.recv();
  r.s.close(http2.constants.NGHTTP2_CANCEL); await r.over();
  b.s.end(); await b.over();
  c.close();
}
const [, , role, port, flag] = process.argv;
if (role === "server") server(+port, flag !== "off"); else client(+port, flag === "early");
