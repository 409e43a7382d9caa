//! Registries as they are known to be, each a plan of its quirks. `docs/registries.md` says of each
//! quirk what is done about it.

use std::time::Duration;

use super::auth::{Auth, Bearer, Challenge};
use super::plan::{FaultPlan, UploadLocation};
use super::quirk::Quirk;
use super::rule::{Fault, When};
use crate::Kind;

/// A user and password that every one of them lets in.
pub const USER: (&str, &str) = ("u", "p");

/// A registry that others are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a registry by its name")]
pub enum Like {
    Distribution,
    Zot,
    Ecr,
    DockerHub,
    Ghcr,
    Quay,
    Harbor,
    Artifactory,
    Nexus,
    GitLab,
    Gcr,
    Acr,
    Gitea,
}

impl FaultPlan {
    /// A registry with the quirks of another.
    pub fn like(registry: Like) -> FaultPlan {
        let plan = FaultPlan::none();
        match registry {
            Like::Distribution => {
                plan.without_referrers().with(Quirk::MountNeedsBoth).with(Quirk::SinglePostIgnored)
            }
            Like::Zot => plan
                .with(Quirk::MountFromAnywhere)
                .with(Quirk::MountNeedsBoth)
                .location(UploadLocation::WithQuery)
                .auth(basic()),
            Like::Ecr => plan
                .with(Quirk::MountOnlyReferenced)
                .with(Quirk::TagsImmutable)
                .with(Quirk::TagPageAtMost(1000))
                .on_any(When::Every(50), Fault::status(429).body("Rate exceeded"))
                .auth(basic()),
            Like::DockerHub => plan.without_referrers().redirecting_blobs().auth(tokens(Bearer {
                elsewhere: true,
                anonymous_pull: true,
                ..bearer()
            })),
            Like::Ghcr => plan
                .without_referrers()
                .with(Quirk::UploadDeadline(Duration::from_secs(5)))
                .auth(tokens(bearer())),
            Like::Quay => plan
                .with(Quirk::MixedIndexRefused)
                .with(Quirk::TagPageAtMost(100))
                .with(Quirk::AuthorizationAtMost(4096))
                .on(Kind::Mount, When::Every(3), Fault::status(400))
                .auth(tokens(Bearer { padding: 1800, ..bearer() })),
            Like::Harbor => plan
                .with(Quirk::RepeatedChildRefused)
                .with(Quirk::SinglePostIgnored)
                .auth(tokens(bearer())),
            Like::Artifactory => plan
                .refusing_mounts()
                .with(Quirk::NestedIndexRefused)
                .with(Quirk::ManifestsOneAtATime)
                .auth(tokens(Bearer { challenge: Challenge::WithoutScope, ..bearer() })),
            Like::Nexus => plan
                .on(Kind::Mount, When::Always, Fault::status(405))
                .on(Kind::Referrers, When::Always, Fault::status(400))
                .location(UploadLocation::Absolute)
                .auth(basic()),
            Like::GitLab => plan
                .with(Quirk::SubjectRequired)
                .with(Quirk::ReferrersUnlisted)
                .with(Quirk::PathDepth(6))
                .auth(tokens(Bearer { challenge: Challenge::BehindBasic, ..bearer() })),
            Like::Gcr => plan.with(Quirk::NestedIndexRefused).without_referrers().auth(basic()),
            Like::Acr => plan
                .with(Quirk::AuthorizationAtMost(4096))
                .with(Quirk::BrokenUploadsForgotten)
                .monolithic_limit(1 << 20)
                .on(Kind::UploadPut, When::Every(20), Fault::CutUpload(1000))
                .on(Kind::UploadPatch, When::Nth(2), Fault::status(416))
                .auth(tokens(Bearer { padding: 1800, only_post: true, ..bearer() })),
            Like::Gitea => plan.with(Quirk::BodyLimitBreaks(600_000)).auth(tokens(bearer())),
        }
    }
}

fn basic() -> Auth {
    Auth::basic(USER.0, USER.1)
}

fn tokens(bearer: Bearer) -> Auth {
    Auth::Bearer(bearer)
}

fn bearer() -> Bearer {
    Bearer { user: Some((USER.0.to_owned(), USER.1.to_owned())), ..Bearer::default() }
}
