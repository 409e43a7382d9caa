//! Which platforms of an image are carried.

use crate::types::{Platform, PlatformError};

/// Architectures by which a platform may be named alone, as Docker's `--platform` allows.
const ARCHITECTURES: [&str; 20] = [
    "386", "aarch64", "amd64", "arm", "arm64", "armel", "armhf", "i386", "loong64", "mips",
    "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm", "x86-64",
    "x86_64",
];

/// Which platforms of an image are carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Keep {
    /// The image as it is.
    #[default]
    All,
    /// These platforms of a multi-platform image, nothing else that is in it; an image of one
    /// platform as it is.
    Platforms(Vec<Platform>),
    /// What runs on one of these architectures and systems, with the attestations that belong to
    /// it. An image of one platform is judged by its configuration; what states no platform stays.
    Matching {
        /// `amd64`, `arm64`, `arm/v7`, …; none means any. Without a variant it is any variant.
        architectures: Vec<String>,
        /// `linux`, `windows`, …; none means any.
        systems: Vec<String>,
    },
}

impl Keep {
    /// Whether images stay as they are.
    pub fn is_all(&self) -> bool {
        match self {
            Keep::All => true,
            Keep::Platforms(platforms) => platforms.is_empty(),
            Keep::Matching { architectures, systems } => {
                architectures.is_empty() && systems.is_empty()
            }
        }
    }

    /// Whether both keep the same of every image.
    pub(super) fn is_same(&self, other: &Keep) -> bool {
        let covers = |some: &[Platform], others: &[Platform]| {
            some.iter().all(|one| others.iter().any(|other| one.satisfies(other)))
        };
        match (self, other) {
            (Keep::Platforms(one), Keep::Platforms(two)) => covers(one, two) && covers(two, one),
            _ => self == other || (self.is_all() && other.is_all()),
        }
    }

    /// Whether what is built for `platform` is carried.
    pub(super) fn takes(&self, platform: &Platform) -> bool {
        match self {
            Keep::All => true,
            Keep::Platforms(wanted) => wanted.iter().any(|wanted| platform.satisfies(wanted)),
            Keep::Matching { architectures, systems } => {
                let system = |name: &String| runs_on(platform, &platform.architecture, name);
                let architecture = |name: &String| is_built_for(platform, name);
                (systems.is_empty() || systems.iter().any(system))
                    && (architectures.is_empty() || architectures.iter().any(architecture))
            }
        }
    }

    /// What is carried, in words.
    pub fn words(&self) -> String {
        match self {
            Keep::All => "everything".to_owned(),
            Keep::Platforms(platforms) => {
                platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            Keep::Matching { architectures, systems } => {
                let any = |list: &[String]| match list {
                    [] => "any".to_owned(),
                    list => list.join(","),
                };
                format!("{}/{}", any(systems), any(architectures))
            }
        }
    }
}

/// Whether `platform` is one of the system `name`, whatever the spelling.
fn runs_on(platform: &Platform, architecture: &str, name: &str) -> bool {
    let bare = |os: &str| Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        ..Platform::default()
    };
    bare(&platform.os).satisfies(&bare(name))
}

/// Whether `platform` is one of the architecture `name`, whatever the spelling; `arm` is every
/// `arm`, `arm/v7` that variant.
fn is_built_for(platform: &Platform, name: &str) -> bool {
    let bare = |architecture: &str, variant: Option<&str>| Platform {
        os: "any".to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.map(str::to_owned),
        ..Platform::default()
    };
    match name.split_once('/') {
        Some((architecture, variant)) => bare(&platform.architecture, platform.variant.as_deref())
            .satisfies(&bare(architecture, Some(variant))),
        None => bare(&platform.architecture, None).satisfies(&bare(name, None)),
    }
}

/// Reads a platform as Docker's `--platform` takes it: `linux/arm/v7`, or an architecture alone,
/// which is that of Linux.
pub(super) fn parse_platform(text: &str) -> Result<Platform, PlatformError> {
    match text.parse() {
        Err(_) if ARCHITECTURES.contains(&text.to_ascii_lowercase().as_str()) => {
            format!("linux/{text}").parse()
        }
        parsed => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn architectures_and_systems() {
        let keep = |architectures: &[&str], systems: &[&str]| Keep::Matching {
            architectures: architectures.iter().map(|text| (*text).to_owned()).collect(),
            systems: systems.iter().map(|text| (*text).to_owned()).collect(),
        };
        for (keep, taken, left) in [
            (
                keep(&["amd64", "arm64"], &[]),
                "linux/x86_64 linux/arm64/v8 windows/amd64",
                "linux/arm/v7 unknown/unknown",
            ),
            (
                keep(&["arm"], &["linux"]),
                "linux/arm/v6 linux/arm/v7 linux/arm",
                "windows/arm linux/arm64",
            ),
            (keep(&["arm/v7"], &[]), "linux/arm/v7 linux/arm", "linux/arm/v6"),
            (keep(&[], &["Linux"]), "linux/amd64 linux/s390x", "windows/amd64 unknown/unknown"),
        ] {
            for text in taken.split(' ') {
                assert!(keep.takes(&platform(text)), "{text} by {keep:?}");
            }
            for text in left.split(' ') {
                assert!(!keep.takes(&platform(text)), "{text} by {keep:?}");
            }
        }
    }

    #[test]
    fn the_same_set_in_other_words_is_the_same() {
        let platforms =
            |list: &[&str]| Keep::Platforms(list.iter().map(|text| platform(text)).collect());
        assert!(platforms(&["linux/amd64", "linux/arm64"]).is_same(&platforms(&[
            "linux/arm64/v8",
            "linux/amd64",
            "linux/x86_64"
        ])));
        assert!(!platforms(&["linux/amd64"]).is_same(&platforms(&["linux/amd64", "linux/arm64"])));
        assert!(platforms(&[]).is_same(&Keep::All));
    }

    #[test]
    fn an_architecture_alone_is_that_of_linux() {
        assert_eq!(parse_platform("arm64").unwrap().to_string(), "linux/arm64");
        assert!(parse_platform("linux").is_err());
        assert!(parse_platform("").is_err());
    }
}
