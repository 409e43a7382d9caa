//! The socket: accepting connections, bounded in number, and stopping without cutting transfers.

mod connection;
mod meter;
mod places;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Terms;
use self::places::{Place, Places};
use crate::storage::Repositories;
use crate::{Options, Tls, router};

/// How long to wait before accepting again when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A service on a socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    options: Options,
    tls: Option<Tls>,
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

    /// Serves any service on `listener`. Of the options, those about connections count.
    pub fn new(listener: TcpListener, router: Router, options: Options) -> Server {
        Server { listener, router, options, tls: None }
    }

    /// Speaks TLS, and nothing else, from now on.
    pub fn with_tls(mut self, tls: Tls) -> Server {
        self.tls = Some(tls);
        self
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
        let Server { listener, router, options, tls } = self;
        let stop = CancellationToken::new();
        let places = Arc::new(Places::new(options.connections, options.slow));
        let terms = Terms {
            router,
            tls,
            head: options.head,
            answer_idle: options.answer_idle,
            stop: stop.clone(),
        };
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let (stream, place) = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&listener, &places) => accepted,
            };
            while connections.try_join_next().is_some() {}
            connections.spawn(connection::serve(stream, place, terms.clone()));
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

/// The next connection, with its place. Dropped while a connection waits for one, it closes it.
async fn accept(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, places.take().await),
            // One connection's trouble, or too many open files: neither ends the server.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                places.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
