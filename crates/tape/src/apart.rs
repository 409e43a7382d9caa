//! Work that may block for ever, apart from those that must answer meanwhile.

/// Does what may block for ever, as opening a FIFO that nobody else opens, on a thread that nobody
/// waits for when the run ends. `None`: it ended without saying why.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // Nobody listens when the run was given up.
    let work = move || drop(sender.send(work()));
    std::thread::Builder::new().name("opening".to_owned()).spawn(work).ok()?;
    receiver.await.ok()
}
