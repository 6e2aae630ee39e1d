//! Many connections at once.

use std::process::{Command, Stdio};
use std::thread;

use crate::faulty::{Fault, Proxy};
use crate::peers::{Client, Server};
use crate::tap::{Diff, Tap};

/// Open at the same time.
const MANY: usize = 500;
/// Threads that open them.
const THREADS: usize = 10;

/// Opens all, then says something on each, then closes all.
fn many(fault: Fault) -> Option<(Diff, Proxy)> {
    // Client, both sides of the proxy and server are this process: four descriptors a connection.
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &pid, "--nofile=4096:"])
        .stderr(Stdio::null())
        .status();
    assert!(raised.is_ok_and(|status| status.success()), "prlimit --nofile=4096");
    let server = Server::start(None);
    let proxy = Proxy::start(fault, server.address);
    let tap = Tap::on(&[proxy.port, server.port()])?;
    let port = proxy.port;
    let opened: Vec<_> = (0..THREADS)
        .map(|_| {
            let open = move || Client::open(port, "/room").expect("it opens");
            thread::spawn(move || (0..MANY / THREADS).map(|_| open()).collect::<Vec<Client>>())
        })
        .collect();
    let mut clients: Vec<Client> =
        opened.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.say(&format!("number {n}"));
    }
    for client in &mut clients {
        client.hear();
    }
    clients.into_iter().for_each(Client::close);
    Some((tap.diff(2 * MANY, &[]), proxy))
}

#[test]
fn five_hundred_connections_at_once_are_paired_by_their_keys() {
    let Some((diff, proxy)) = many(Fault::None) else { return };
    assert_eq!(diff.pairs.len(), MANY);
    assert_eq!(diff.ports(), proxy.legs());
    assert_eq!(diff.status, 0);
    assert!(diff.pairs.iter().all(|pair| pair["matched_by"] == "key"));
}

#[test]
fn five_hundred_connections_with_keys_of_the_proxy_are_paired_by_what_they_say() {
    let Some((diff, proxy)) = many(Fault::OwnHandshake) else { return };
    assert_eq!(diff.pairs.len(), MANY);
    assert_eq!(diff.ports(), proxy.legs());
    assert_eq!(diff.status, 0);
}
