//! Platforms, `os/architecture[/variant]` (image-spec, image-index.md).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a manifest runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// `linux`, `windows`, …
    #[serde(default)]
    pub os: String,
    /// Version of the system, which Windows images depend on.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features of the system, such as `win32k`.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Fields this version does not know, kept as they are.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Untyped>,
}

/// A JSON value that is only carried, as its compact text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Untyped(String);

impl Serialize for Untyped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: serde_json::Value =
            serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Untyped {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Untyped(serde_json::Value::deserialize(deserializer)?.to_string()))
    }
}

/// Why a text names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid platform {0:?}: expected os/architecture or os/architecture/variant, such as linux/amd64 or linux/arm/v7"
)]
pub struct PlatformError(String);

impl Platform {
    /// Whether an image built for `self` is what `wanted` asks for, as Docker's `--platform`
    /// decides: names are normalised (`x86_64` is `amd64`, `aarch64` is `arm64`), a variant that
    /// was not asked for is the default one of its architecture (`arm64` is `arm64/v8`, `arm` is
    /// `arm/v7`), and a system version is compared only when asked for.
    pub fn satisfies(&self, wanted: &Platform) -> bool {
        let (have, want) = (self.normalised(), wanted.normalised());
        have.0 == want.0
            && have.1 == want.1
            && have.2 == want.2
            && (wanted.os_version.is_none() || wanted.os_version == self.os_version)
    }

    /// Whether `self` is what `wanted` names without its variant: `arm/v6` and `arm/v7` are of `arm`.
    pub fn is_variant_of(&self, wanted: &Platform) -> bool {
        let (have, want) = (self.normalised(), wanted.normalised());
        let implied =
            ["armhf", "armel"].contains(&wanted.architecture.to_ascii_lowercase().as_str());
        wanted.variant.is_none()
            && !implied
            && have.0 == want.0
            && have.1 == want.1
            && (wanted.os_version.is_none() || wanted.os_version == self.os_version)
    }

    /// As [`fmt::Display`], with the system's version where there is one: `windows/amd64:10.0.1`.
    pub fn in_full(&self) -> String {
        let version = self.os_version.as_deref().filter(|version| !version.is_empty());
        version.map_or_else(|| self.to_string(), |version| format!("{self}:{version}"))
    }

    fn normalised(&self) -> (String, String, String) {
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let variant = self.variant.as_deref().unwrap_or("").to_ascii_lowercase();
        let (architecture, variant) = match self.architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "x86-64" | "amd64" => {
                ("amd64", if variant == "v1" { String::new() } else { variant })
            }
            "i386" | "i486" | "i586" | "i686" | "x86" | "386" => ("386", variant),
            "aarch64" | "arm64" => {
                ("arm64", if variant == "8" || variant.is_empty() { "v8".into() } else { variant })
            }
            "armhf" => ("arm", "v7".into()),
            "armel" => ("arm", "v6".into()),
            "arm" => {
                let variant = match variant.as_str() {
                    "" | "7" => "v7".into(),
                    "5" | "6" | "8" => format!("v{variant}"),
                    _ => variant,
                };
                ("arm", variant)
            }
            other => return (os, other.to_owned(), variant),
        };
        (os, architecture.to_owned(), variant)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Reads `os/architecture[/variant][:version]`.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let (name, version) = match text.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let parts: Vec<&str> = name.split('/').collect();
        let valid = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().chain(&version).all(valid) {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Platform {
            os: parts[0].to_owned(),
            architecture: parts[1].to_owned(),
            variant: parts.get(2).map(|part| (*part).to_owned()),
            os_version: version.map(ToOwned::to_owned),
            ..Platform::default()
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn default_variants_match() {
        for (have, want) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm/v7", "linux/arm"),
        ] {
            assert!(p(have).satisfies(&p(want)), "{have} for {want}");
        }
    }

    #[test]
    fn others_do_not() {
        for (have, want) in [
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm"),
            ("windows/amd64", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64"),
        ] {
            assert!(!p(have).satisfies(&p(want)), "{have} for {want}");
        }
    }

    #[test]
    fn a_variant_is_one_of_its_architecture() {
        assert!(p("linux/arm/v6").is_variant_of(&p("linux/arm")));
        assert!(p("linux/arm64/v9").is_variant_of(&p("linux/aarch64")));
        for (have, want) in [
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/arm/v6", "linux/armhf"),
            ("linux/arm64", "linux/arm"),
            ("windows/arm", "linux/arm"),
        ] {
            assert!(!p(have).is_variant_of(&p(want)), "{have} for {want}");
        }
    }

    #[test]
    fn a_version_of_the_system_counts_when_it_is_asked_for() {
        let (old, new) = (p("windows/amd64:10.0.17763.1"), p("windows/amd64:10.0.20348.1"));
        assert!(old.satisfies(&old) && !old.satisfies(&new) && old.satisfies(&p("windows/amd64")));
        assert!(!p("windows/amd64").satisfies(&old));
        assert_eq!(new.in_full(), "windows/amd64:10.0.20348.1");
        assert!("windows/amd64:".parse::<Platform>().is_err());
    }

    #[test]
    fn unknown_fields_survive() {
        let json =
            r#"{"architecture":"amd64","os":"windows","os.version":"10.0.1","features":["x"]}"#;
        let platform: Platform = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&platform).unwrap(), json);
    }

    #[test]
    fn malformed() {
        for bad in ["", "linux", "linux/", "a/b/c/d", "linux/ amd64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
