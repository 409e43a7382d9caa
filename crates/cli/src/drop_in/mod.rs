//! Other names of the program: `docker-mirror`, `magic-mirror`, `image-tools` and `mirror-registry`.
//!
//! Started through a link of such a name it takes that program's arguments, so that a script goes
//! on working. They become arguments of `airlift copy`, those of the last, which are none, of
//! `airlift proxy`; nothing else differs.

mod go_flags;
mod usage;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::ErrorKind;

use go_flags::{Flag, Style, parse};

/// The arguments of the process in our own words.
pub(crate) fn arguments(
    given: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, clap::Error> {
    let given: Vec<OsString> = given.into_iter().collect();
    let name = given.first().and_then(|name| Path::new(name).file_name()).and_then(OsStr::to_str);
    let rest = given.get(1..).unwrap_or_default();
    let translated = match name {
        Some("docker-mirror") => docker_mirror(rest),
        Some("magic-mirror") => magic_mirror(rest),
        Some("image-tools") => image_tools(rest),
        Some("mirror-registry") => {
            let rest = rest.iter().cloned();
            return Ok(["airlift", "proxy"].into_iter().map(OsString::from).chain(rest).collect());
        }
        _ => return Ok(given),
    };
    let translated = translated.map_err(|instead| match instead {
        Instead::Help(text) => usage::show(text),
        Instead::Refusal(message) => {
            let message = format!("{}: {message}\n", name.unwrap_or(""));
            clap::Error::raw(ErrorKind::InvalidValue, message)
        }
    })?;
    Ok(["airlift", "copy"].into_iter().map(OsString::from).chain(translated).collect())
}

/// What comes instead of a run.
enum Instead {
    /// Help was asked for: this one.
    Help(&'static str),
    /// The arguments are wrong, and why.
    Refusal(String),
}

impl From<String> for Instead {
    fn from(message: String) -> Self {
        Instead::Refusal(message)
    }
}

/// `docker-mirror [-v] -d REGISTRY[/PREFIX] IMAGE..`
fn docker_mirror(given: &[OsString]) -> Result<Vec<OsString>, Instead> {
    const FLAGS: [Flag; 2] = [Flag::switch("v"), Flag::value("d")];
    let parsed = parse(given, &FLAGS, Style::Flag)?;
    if parsed.help {
        return Err(Instead::Help(usage::DOCKER_MIRROR));
    }
    let to = parsed.value("d").ok_or_else(|| "-d is required".to_owned())?;
    if parsed.rest.is_empty() {
        return Err("no image is named".to_owned().into());
    }
    let mut args = vec![OsString::from("--to"), to.to_owned()];
    args.extend(parsed.is_set("v").then(|| OsString::from("-v")));
    args.push("--".into());
    args.extend(parsed.rest);
    Ok(args)
}

/// `magic-mirror [--concurrency N] [--verbose] [FILE]`
fn magic_mirror(given: &[OsString]) -> Result<Vec<OsString>, Instead> {
    const FLAGS: [Flag; 2] = [Flag::value("concurrency"), Flag::switch("verbose")];
    let parsed = parse(given, &FLAGS, Style::Pflag)?;
    if parsed.help {
        return Err(Instead::Help(usage::MAGIC_MIRROR));
    }
    let file = parsed.rest.first().cloned().unwrap_or_else(|| "-".into());
    let mut args = vec![OsString::from("--specs"), file];
    if let Some(number) = parsed.value("concurrency") {
        args.extend(["--concurrent-http".into(), number.to_owned()]);
    }
    args.extend(parsed.is_set("verbose").then(|| OsString::from("-v")));
    Ok(args)
}

/// `image-tools mirror [-f LIST] [-a ARCHITECTURES] [-s REGISTRY] [-d REGISTRY] [-j N] [-o FILE] [-debug]`
fn image_tools(given: &[OsString]) -> Result<Vec<OsString>, Instead> {
    const FLAGS: [Flag; 7] = [
        Flag::value("f"),
        Flag::value("a"),
        Flag::value("s"),
        Flag::value("d"),
        Flag::value("j"),
        Flag::value("o"),
        Flag::switch("debug"),
    ];
    let rest = match given.split_first() {
        Some((first, rest)) if first == "mirror" => rest,
        Some((first, _)) if !matches!(first.to_str(), Some("-h" | "-help" | "--help")) => {
            return Err(format!(
                "{} is not done under this name, only mirror; \
                 `airlift archive` and `airlift unarchive` go by way of files",
                first.display()
            )
            .into());
        }
        _ => return Err(Instead::Help(usage::IMAGE_TOOLS)),
    };
    let parsed = parse(rest, &FLAGS, Style::Flag)?;
    if parsed.help {
        return Err(Instead::Help(usage::IMAGE_TOOLS));
    }
    let mut args = vec![OsString::from("--list")];
    args.push(parsed.value("f").filter(|file| !file.is_empty()).unwrap_or("-".as_ref()).to_owned());
    for flag in ["a", "s", "d", "o"] {
        if let Some(value) = parsed.value(flag).filter(|value| !value.is_empty()) {
            args.extend([format!("-{flag}").into(), value.to_owned()]);
        }
    }
    args.extend(["-j".into(), jobs(parsed.value("j"))?]);
    args.extend(parsed.is_set("debug").then(|| OsString::from("-v")));
    Ok(args)
}

/// One job unless more are asked for, and at most 20.
fn jobs(asked: Option<&OsStr>) -> Result<OsString, String> {
    let Some(asked) = asked else { return Ok("1".into()) };
    let number: i64 = asked
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("-j takes a number, not {}", asked.display()))?;
    Ok(number.clamp(1, 20).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::arguments;

    fn translate(line: &str) -> Result<String, String> {
        let given = line.split(' ').map(Into::into);
        let args = arguments(given).map_err(|error| error.to_string())?;
        Ok(args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_name_has_its_own_words() {
        for (theirs, ours) in [
            ("airlift gather a b", "airlift gather a b"),
            ("/opt/mirror-registry", "airlift proxy"),
            ("mirror-registry --check a.yaml", "airlift proxy --check a.yaml"),
            (
                "/usr/bin/docker-mirror -d docker.example.com hello-world",
                "airlift copy --to docker.example.com -- hello-world",
            ),
            ("docker-mirror -v -d=reg/prefix a b", "airlift copy --to reg/prefix -v -- a b"),
            ("magic-mirror specs.json", "airlift copy --specs specs.json"),
            ("magic-mirror", "airlift copy --specs -"),
            (
                "magic-mirror specs.json --concurrency=5 --verbose",
                "airlift copy --specs specs.json --concurrent-http 5 -v",
            ),
            ("./image-tools mirror -f ./list.txt", "airlift copy --list ./list.txt -j 1"),
            (
                "image-tools mirror -f l -d custom.example.org -s docker.io -a amd64,arm64 -j 30 -o o",
                "airlift copy --list l -a amd64,arm64 -s docker.io -d custom.example.org -o o -j 20",
            ),
            ("image-tools mirror -debug", "airlift copy --list - -j 1 -v"),
        ] {
            assert_eq!(translate(theirs).as_deref(), Ok(ours), "{theirs}");
        }
    }

    #[test]
    fn each_name_has_its_own_help() {
        for (line, flags) in [
            ("docker-mirror -h", ["-d string", "-v "]),
            ("magic-mirror --help", ["--concurrency", "--verbose"]),
            ("image-tools mirror -h", ["-a string", "\"amd64,arm64\""]),
            ("image-tools mirror -f l -help", ["-j int", "\"mirror-failed.txt\""]),
            ("image-tools -h", ["-debug", "-s string"]),
        ] {
            let error = arguments(line.split(' ').map(Into::into)).unwrap_err();
            assert!(!error.use_stderr(), "{line}");
            let text = error.to_string();
            assert!(text.starts_with("Usage: "), "{text}");
            assert!(flags.iter().all(|flag| text.contains(flag)), "{line}: {text}");
        }
    }

    #[test]
    fn what_these_programs_refuse_is_refused() {
        for (line, says) in [
            ("docker-mirror hello-world", "-d is required"),
            ("docker-mirror -d reg.io", "no image is named"),
            ("docker-mirror -x -d reg.io a", "-x"),
            ("magic-mirror --concurrency", "--concurrency"),
            ("image-tools load", "only mirror"),
            ("image-tools mirror -j many", "-j takes a number"),
        ] {
            assert!(translate(line).unwrap_err().contains(says), "{line}");
        }
    }
}
