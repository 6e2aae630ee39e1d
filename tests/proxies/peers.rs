//! A real client and a real server.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::tap::PATIENCE;

/// Echoes what it is told; answers 400 to what asks for no WebSocket.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The peer's port by the first message it sent.
    told: Arc<Mutex<BTreeMap<String, u16>>>,
}

impl Server {
    /// One that speaks first, if there is a greeting.
    pub(crate) fn start(greeting: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(BTreeMap::new()));
        let server = Self { address, told: Arc::clone(&told) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = Arc::clone(&told);
                thread::spawn(move || serve(&stream, greeting, &told));
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The port from which this message came, of those that came first.
    pub(crate) fn peer(&self, message: &str) -> Option<u16> {
        self.told.lock().unwrap().get(message).copied()
    }
}

fn serve(stream: &TcpStream, greeting: Option<&str>, told: &Mutex<BTreeMap<String, u16>>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let peer = stream.peer_addr().unwrap().port();
    let asks = peeked_head(stream).is_some_and(|head| head.contains("upgrade: websocket"));
    if !asks {
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut stream = stream;
        let _ = std::io::copy(&mut answer.as_slice(), &mut stream);
        return;
    }
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    if let Some(greeting) = greeting {
        let _ = socket.send(Message::text(greeting));
    }
    let mut first = true;
    // Until the peer closes, or is gone.
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = &message
            && std::mem::take(&mut first)
        {
            told.lock().unwrap().insert(text.to_string(), peer);
        }
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            return;
        }
    }
}

/// The request head in lower case, left where it is for whoever reads next.
fn peeked_head(stream: &TcpStream) -> Option<String> {
    let mut buffer = [0; 8192];
    loop {
        let n = stream.peek(&mut buffer).ok().filter(|n| *n > 0)?;
        let head = String::from_utf8_lossy(&buffer[..n]).to_lowercase();
        if head.contains("\r\n\r\n") {
            return Some(head);
        }
        thread::yield_now();
    }
}

/// What every client says.
pub(crate) const TEXTS: [&str; 3] = ["pay alice 100", "what is left?", "and goodbye, then"];

/// A client by way of a proxy.
#[derive(Debug)]
pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    pub(crate) port: u16,
}

impl Client {
    /// Opens a WebSocket; `None` when the answer does not open one.
    pub(crate) fn open(proxy: u16, path: &str) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", proxy)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let port = stream.local_addr().unwrap().port();
        let url = format!("ws://127.0.0.1:{proxy}{path}");
        let (socket, _) = tungstenite::client(url, stream).ok()?;
        Some(Self { socket, port })
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next data message.
    pub(crate) fn hear(&mut self) -> Message {
        loop {
            let message = self.socket.read().unwrap();
            if message.is_text() || message.is_binary() {
                return message;
            }
        }
    }

    /// Says a word of its own and [`TEXTS`], a binary message, a ping; hears what comes; closes.
    pub(crate) fn converse(mut self, first: &str) {
        self.say(first);
        for text in TEXTS {
            self.say(text);
        }
        self.socket.send(Message::binary(vec![0_u8, 1, 2, 254, 255])).unwrap();
        self.socket.send(Message::Ping(b"there?".as_slice().into())).unwrap();
        self.close();
    }

    /// Closes, and hears all that comes until the server has closed too.
    pub(crate) fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
        self.socket.close(Some(frame)).unwrap();
        while self.socket.read().is_ok() {}
    }
}
