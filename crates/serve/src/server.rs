//! The socket: accepting connections, bounded in number, and stopping without cutting transfers.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::storage::Repositories;
use crate::{Options, router};

/// How long to wait before accepting again when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A service on a socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    options: Options,
}

impl Server {
    /// Listens on `addr` (port 0: any free one) as a registry over `storage`. Connections are
    /// taken up by [`Server::run`]; until then they wait.
    pub async fn bind(
        addr: SocketAddr,
        storage: Arc<dyn Repositories>,
        options: Options,
    ) -> io::Result<Server> {
        let listener = TcpListener::bind(addr).await?;
        Ok(Server::new(listener, router(storage, options.clone()), options))
    }

    /// Serves any service on `listener`.
    pub fn new(listener: TcpListener, router: Router, options: Options) -> Server {
        Server { listener, router, options }
    }

    /// Changes the service, to put layers around it.
    pub fn map_router(mut self, change: impl FnOnce(Router) -> Router) -> Server {
        self.router = change(self.router);
        self
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is ready, then closes the socket and lets requests that are under
    /// way end within [`Options::grace`]. Dropping the future ends everything at once.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        let Server { listener, router, options } = self;
        let stop = CancellationToken::new();
        let places = Arc::new(Semaphore::new(options.connections));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let (stream, place) = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&listener, &places) => accepted?,
            };
            let connection = serve(stream, router.clone(), options.head, stop.clone());
            connections.spawn(async move {
                connection.await;
                drop(place);
            });
        }
        drop(listener);
        stop.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(options.grace, ended).await.is_err() {
            tracing::warn!("requests were still under way when the time for stopping was over");
        }
        Ok(())
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok((stream, place)),
            // One connection's trouble, or too many open files: neither ends the server.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, head: Duration, stop: CancellationToken) {
    // Small answers must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let answer: Result<Response<Body>, Infallible> =
                Service::call(&mut router, request.map(Body::new)).await;
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
