//! The corpus to and from registries with the quirks of those in use: every image is delivered.

use airlift_tests::Like;

use super::*;

async fn to_and_from(registry: Like) {
    let plan = || FaultPlan::like(registry);
    carry(plan(), plan(), Corpus::scaled(0.01)).await;
}

macro_rules! profiles {
    ($($name:ident: $registry:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            to_and_from(Like::$registry).await;
        }
    )*};
}

profiles! {
    like_distribution: Distribution,
    like_zot: Zot,
    like_ecr: Ecr,
    like_docker_hub: DockerHub,
    like_ghcr: Ghcr,
    like_quay: Quay,
    like_harbor: Harbor,
    like_artifactory: Artifactory,
    like_nexus: Nexus,
    like_gitlab: GitLab,
    like_gcr: Gcr,
    like_acr: Acr,
    like_gitea: Gitea,
}
