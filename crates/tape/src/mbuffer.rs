//! The verb mbuffer: any bytes to a device in whole blocks, through the same buffer as archives.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::apart::apart;
use crate::buffer::{BlockBuffer, BufferOptions, Flow};
use crate::device::{Destination, DeviceError, OpenOptions};
use airlift_oci::observe::{Event, Observer};

/// How bytes are buffered.
#[derive(Debug, Clone)]
pub struct MbufferOptions {
    /// Bytes of a block. None: what suits the destination.
    pub block: Option<u64>,
    /// Bytes of the buffer.
    pub memory: u64,
    /// Percentage of the buffer that must be filled before the device starts. None: what suits
    /// the destination.
    pub high_water: Option<u8>,
    /// Overwrite what is there.
    pub force: bool,
}

impl Default for MbufferOptions {
    fn default() -> Self {
        MbufferOptions {
            block: None,
            memory: crate::DEFAULT_MEMORY,
            high_water: None,
            force: false,
        }
    }
}

/// Why bytes did not reach the device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MbufferError {
    /// The input failed.
    #[error("reading the input failed after {read} bytes")]
    Input {
        /// Bytes read.
        read: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Writes `input` to its end. The last block is as long as what is left for it: nothing is added.
pub async fn mbuffer(
    mut input: impl AsyncRead + Unpin + Send,
    destination: Destination,
    options: &MbufferOptions,
    observer: Arc<dyn Observer>,
) -> Result<Flow, MbufferError> {
    let block = options.block.unwrap_or_else(|| destination.default_block());
    let sizes = BufferOptions {
        block: usize::try_from(destination.piece(block)).unwrap_or(usize::MAX),
        memory: options.memory,
        high_water: options.high_water.unwrap_or_else(|| destination.default_high_water()),
    };
    sizes.check()?;
    let open = OpenOptions { force: options.force, resume: false, block };
    let opened = apart(move || destination.open(open)).await;
    let device = opened.unwrap_or_else(|| Err(DeviceError::Lost("the device".to_owned())));
    let device = device.map_err(|error| match error {
        // Any bytes are not gone on with, as an archive is.
        DeviceError::Partial(path) => DeviceError::Exists(path),
        error => error,
    })?;
    let mut buffer = BlockBuffer::start(device, 0, sizes, None, observer.clone())?;
    let mut chunk = BytesMut::with_capacity(1 << 20);
    let mut total = 0;
    loop {
        let read = input.read_buf(&mut chunk).await;
        let read = read.map_err(|source| MbufferError::Input { read: total, source })?;
        if read == 0 {
            return Ok(buffer.finish().await?);
        }
        total += read as u64;
        buffer.write(&chunk).await?;
        chunk.clear();
        observer.event(&Event::Moved { bytes: read as u64 });
    }
}
