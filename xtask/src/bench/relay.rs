//! A listener on a free port that does something with every connection: what lines and networks are
//! made of.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A way to one address. Dropping it cuts every connection.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Relay {
    /// Listens; `connect` carries each connection until it ends.
    pub(super) async fn start<F>(
        connect: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> anyhow::Result<Relay>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    Ok((near, _)) = listener.accept() => {
                        connections.spawn(connect(near));
                    }
                }
            }
        });
        Ok(Relay { address, _task: task })
    }

    /// Host and port of this end.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }
}
