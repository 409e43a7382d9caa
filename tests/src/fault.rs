//! What goes wrong with a test registry, and when.

/// What goes wrong. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    /// Tags, referrers and repositories in one answer.
    pub page: Option<usize>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        FaultPlan::default()
    }
}
