//! What is in force of the limits of a run: options over variables over the file.

use std::time::Duration;

use super::file::File;
use super::layers::{Layers, optional};
use super::{ConfigError, Setting};
use crate::duration;
use crate::global::Global;
use crate::pacing::{self, Between};

/// The limits of a run; what is `None` is left to the client.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Bytes a second.
    pub(crate) rate: Setting<Option<u64>>,
    /// Requests a second to one host.
    pub(crate) requests: Setting<Option<f64>>,
    /// Hours in which bytes move.
    pub(crate) between: Setting<Option<Between>>,
    /// Longest wait that a host may ask for.
    pub(crate) patience: Setting<Option<Duration>>,
    /// Time without a byte.
    pub(crate) stall: Setting<Option<Duration>>,
}

impl Limits {
    pub(super) fn merge(
        layers: &Layers<'_>,
        global: &Global,
        file: &File,
    ) -> Result<Self, ConfigError> {
        let given = &global.pacing;
        let text =
            |value: &Option<super::file::Scalar>| value.as_ref().map(|value| value.0.clone());
        Ok(Limits {
            rate: optional(layers.pick(
                ("rate", given.rate),
                &["AIRLIFT_RATE"],
                ("rate", text(&file.rate)),
                pacing::rate,
            )?),
            requests: optional(layers.pick(
                ("requests-per-second", given.requests_per_second),
                &["AIRLIFT_REQUESTS_PER_SECOND"],
                ("requestsPerSecond", text(&file.requests_per_second)),
                pacing::requests,
            )?),
            between: optional(layers.pick(
                ("between", given.between),
                &["AIRLIFT_BETWEEN"],
                ("between", text(&file.between)),
                str::parse,
            )?),
            patience: optional(layers.pick(
                ("patience", given.patience),
                &["AIRLIFT_PATIENCE"],
                ("patience", text(&file.patience)),
                duration::parse,
            )?),
            stall: optional(layers.pick(
                ("stall-timeout", given.stall_timeout),
                &["AIRLIFT_STALL_TIMEOUT"],
                ("stallTimeout", text(&file.stall_timeout)),
                pacing::stall,
            )?),
        })
    }
}
