//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside the connections: what is served, logs, the listener.
const OTHERS: u64 = 64;

/// Asks the system for `connections`, each with a file that is read or written for it; as many as
/// it grants.
pub(crate) fn allow(connections: usize) -> usize {
    let wanted = (connections as u64).saturating_mul(2).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted.min(most)), maximum: limit.maximum };
    let granted = if current >= wanted {
        current
    } else if setrlimit(Resource::Nofile, raised).is_ok() {
        wanted.min(most)
    } else {
        current
    };
    let fitting = usize::try_from(granted.saturating_sub(OTHERS) / 2).unwrap_or(usize::MAX);
    if fitting < connections {
        tracing::info!(
            connections = fitting,
            "the limit of open files allows only so many connections"
        );
    }
    fitting.clamp(1, connections.max(1))
}

#[cfg(test)]
mod tests {
    use super::allow;

    #[test]
    fn no_more_than_the_system_grants() {
        assert_eq!(allow(1), 1);
        assert!(allow(usize::MAX) < usize::MAX);
    }
}
