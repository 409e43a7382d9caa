//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::meter::{Meter, Metered, Phase};
use super::places::Place;
use crate::Tls;

/// Bytes of a request that are held at once, so the most that its head may have.
const BUFFER: usize = 128 * 1024;

/// What every connection is served by.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
    pub(super) head: Duration,
    pub(super) answer_idle: Duration,
    pub(super) stop: CancellationToken,
}

/// Serves until either side ends the connection, or its place is taken from it.
pub(super) async fn serve(stream: TcpStream, place: Place, terms: Terms) {
    // Small answers must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let evicted = place.evicted.clone();
    tokio::select! {
        () = evicted.cancelled() => {
            tracing::debug!("a slow connection was ended for another to have its place");
        }
        () = secured(stream, &place.meter, terms) => {}
    }
}

async fn secured(stream: TcpStream, meter: &Arc<Meter>, terms: Terms) {
    let stream = Metered::new(stream, meter.clone(), terms.answer_idle);
    let Some(tls) = terms.tls.clone() else { return requests(stream, meter, terms).await };
    match tokio::time::timeout(terms.head, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, meter, terms).await,
        Ok(Err(error)) => tracing::debug!(%error, "no agreement on TLS with a client"),
        Err(_) => tracing::debug!("a client did not begin with TLS in time"),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    meter: &Arc<Meter>,
    terms: Terms,
) {
    let (router, meter) = (terms.router, meter.clone());
    let service =
        hyper::service::service_fn(move |request| answer(router.clone(), meter.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(terms.head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = terms.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    mut router: Router,
    meter: Arc<Meter>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    meter.enter(Phase::Working);
    let asked = request.map(|body| Body::new(Watched { body, meter: meter.clone(), sent: false }));
    let response = Service::call(&mut router, asked).await?;
    meter.enter(Phase::Answer);
    Ok(response.map(|body| Body::new(Watched { body, meter, sent: true })))
}

/// A body that tells the meter who waits for whom.
struct Watched<B> {
    body: B,
    meter: Arc<Meter>,
    /// Whether it goes out, to the client, rather than in.
    sent: bool,
}

impl<B> hyper::body::Body for Watched<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.meter.enter(match (polled.is_pending(), self.sent) {
            (true, false) => Phase::Body,
            (false, true) => Phase::Answer,
            (true, true) | (false, false) => Phase::Working,
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.meter.enter(if self.sent { Phase::Head } else { Phase::Working });
    }
}
