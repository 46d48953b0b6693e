//! An HTTP server that takes webhooks: it keeps what comes and answers as the test says.
//!
//! It stands for services that run at their makers' only, and gives answers that a real one cannot be made to give.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tokio::runtime::Runtime;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) path: String,
    /// Their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

/// Status, headers and body of an answer.
pub(crate) type Reply = (u16, &'static [(&'static str, &'static str)], String);

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    replies: VecDeque<Reply>,
}

/// A server that lives until it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _runtime: Runtime,
}

impl Receiver {
    /// Listens on any port. It gives these replies in turn, and then 200.
    pub(crate) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), replies)
    }

    /// Listens there.
    pub(crate) fn start_at(address: SocketAddr, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { replies: replies.into_iter().collect(), ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let runtime = Runtime::new().unwrap();
        let seen = Arc::clone(&shared);
        let answer = move |request: Request| answer(request, Arc::clone(&seen));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, Router::new().fallback(answer)).await.unwrap();
        });
        Self { address, shared, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }
}

async fn answer(request: Request, shared: Arc<Mutex<Shared>>) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = serde_json::from_slice(&body).unwrap();
    let received = Received { at: Instant::now(), path: head.uri.to_string(), headers, body };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.received.push(received);
        shared.replies.pop_front()
    };
    let (status, headers, body) = reply.unwrap_or((200, &[], "ok".to_owned()));
    let response = Response::builder().status(status);
    let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
    response.body(Body::from(body)).unwrap()
}
