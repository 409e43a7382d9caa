//! One connection, driven by whoever waits for it: no task of its own stands between a question and
//! its socket.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Position, Url};

use crate::registry::endpoint::authority;

/// The most bytes that the head of an answer may have.
const HEAD: usize = 64 * 1024;
/// The most headers that it may have.
const HEADERS: usize = 100;

/// A connection to the host.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    /// `None` when the connection has ended.
    driver: Option<http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>>,
}

impl Connection {
    pub(super) async fn over(stream: TcpStream) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD).max_headers(HEADERS);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, driver: Some(driver) })
    }

    /// Whether the next question can be sent: the last answer came whole, and the host has neither
    /// closed the connection nor sent what nobody asked for.
    pub(super) fn stands(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.drive(&mut context);
        let ready = self.sender.poll_ready(&mut context);
        self.driver.is_some() && matches!(ready, Poll::Ready(Ok(())))
    }

    /// Sends a question and waits for the head of the answer.
    pub(super) async fn ask(
        &mut self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        agent: &HeaderValue,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let question = question(method, url, headers, agent)?;
        let answer = self.sender.send_request(question);
        let answer = while_driven(&mut self.driver, answer).await;
        Ok(answer?)
    }

    /// Waits for `work`, which needs the connection to go on.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        while_driven(&mut self.driver, work).await
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.driver, context);
    }
}

type Driver = Option<http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>>;

/// Lets the connection do what it can. How it ended is told to whoever waits for an answer.
fn drive(driver: &mut Driver, context: &mut Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(context).is_ready()
    {
        *driver = None;
    }
}

/// Waits for `work`, which gets on by the connection alone. So it has nobody to wake: it is asked
/// again whenever the connection got on, and who waits is not woken by itself.
async fn while_driven<T>(driver: &mut Driver, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let mut nobody = Context::from_waker(Waker::noop());
        if let Poll::Ready(done) = work.as_mut().poll(&mut nobody) {
            return Poll::Ready(done);
        }
        drive(driver, context);
        work.as_mut().poll(&mut nobody)
    })
    .await
}

fn question(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    agent: &HeaderValue,
) -> Result<Request<Empty<Bytes>>, http::Error> {
    let target: Uri = url[Position::BeforePath..Position::AfterQuery].parse()?;
    let mut question = Request::new(Empty::new());
    *question.method_mut() = method.clone();
    *question.uri_mut() = target;
    let own = question.headers_mut();
    own.reserve(headers.len() + 3);
    own.insert(header::HOST, authority(url).parse::<HeaderValue>()?);
    own.insert(header::USER_AGENT, agent.clone());
    own.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // What was said takes the place of these.
    for name in headers.keys() {
        own.remove(name);
    }
    own.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(question)
}
