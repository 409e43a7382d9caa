//! A service on a free port of the loopback interface that can also break connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::throttle::Throttled;

/// In the extensions of an answer: the connection ends without it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Break;

/// Why a connection ended.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// Listens on a free port.
pub(crate) async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Serves until it is dropped, and every connection with it.
pub(crate) async fn serve(listener: TcpListener, router: Router, rate: Option<u64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(stream, router.clone(), rate));
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, rate: Option<u64>) {
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), request.map(Body::new))
    });
    // Ended by the client or on purpose: both are what tests are about.
    if rate.is_some() {
        let stream = TokioIo::new(Throttled::new(stream, rate));
        let _ = http1::Builder::new().serve_connection(stream, service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn answer(mut router: Router, request: Request<Body>) -> Result<Response<Body>, Broken> {
    let response = tower_service::Service::call(&mut router, request).await.unwrap_or_default();
    if response.extensions().get::<Break>().is_some() { Err(Broken) } else { Ok(response) }
}
