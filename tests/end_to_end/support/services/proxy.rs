//! A proxy before a broker that can keep back the broker's answers to heartbeats of groups (KIP-848).
//!
//! Promises: everything else passes, in both directions; the broker has done what it was asked when an answer is kept back.
//! Never: outlives the test program.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The key of a request `ConsumerGroupHeartbeat` in Kafka's protocol.
const HEARTBEAT: [u8; 2] = 68_i16.to_be_bytes();

/// A proxy that listens at a port of its own.
pub(super) struct Proxy {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    keeps_back: AtomicBool,
    /// The lengths of the answers that were kept back, in bytes.
    kept_back: Mutex<Vec<usize>>,
}

/// The numbers of a connection's heartbeats without an answer.
type Heartbeats = Arc<Mutex<HashSet<[u8; 4]>>>;

impl Proxy {
    /// Connects whoever comes to one port with another.
    pub(super) fn start(port: u16, broker: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let state = Arc::new(State::default());
        let of_connections = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connect(client, broker, &of_connections).ok();
            }
        });
        Self { state }
    }

    pub(super) fn keep_back(&self, keeps_back: bool) {
        self.state.kept_back.lock().unwrap().clear();
        self.state.keeps_back.store(keeps_back, Ordering::SeqCst);
    }

    pub(super) fn kept_back(&self) -> Vec<usize> {
        self.state.kept_back.lock().unwrap().clone()
    }
}

fn connect(client: TcpStream, broker: u16, state: &Arc<State>) -> io::Result<()> {
    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker))?;
    let (to_client, to_broker) = (client.try_clone()?, broker.try_clone()?);
    let heartbeats = Heartbeats::default();
    let asked = Arc::clone(&heartbeats);
    // A request begins with its key, its version and its number; an answer with the number.
    thread::spawn(move || {
        pass(client, to_broker, |request| {
            if request[..2] == HEARTBEAT {
                asked.lock().unwrap().insert(request[4..8].try_into().unwrap());
            }
            true
        })
    });
    let state = Arc::clone(state);
    thread::spawn(move || {
        pass(broker, to_client, |answer| {
            let number: [u8; 4] = answer[..4].try_into().unwrap();
            let is_of_heartbeat = heartbeats.lock().unwrap().remove(&number);
            let is_kept = is_of_heartbeat && state.keeps_back.load(Ordering::SeqCst);
            if is_kept {
                state.kept_back.lock().unwrap().push(answer.len());
            }
            !is_kept
        })
    });
    Ok(())
}

/// Passes messages on, each of which begins with its length, until one of the two hangs up.
fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut message = Vec::new();
    let end = loop {
        let mut length = [0; 4];
        if let Err(end) = from.read_exact(&mut length) {
            break end;
        }
        message.resize(u32::from_be_bytes(length) as usize, 0);
        let passed = from.read_exact(&mut message).and_then(|()| match passes(&message) {
            true => to.write_all(&length).and_then(|()| to.write_all(&message)),
            false => Ok(()),
        });
        if let Err(end) = passed {
            break end;
        }
    };
    from.shutdown(std::net::Shutdown::Both).ok();
    to.shutdown(std::net::Shutdown::Both).ok();
    Err(end)
}
