//! Everything that is in force, each setting by its layers.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::file::File;
use super::layers::{Layers, optional, unset, value_error};
use super::pacing::Limits;
use super::{Config, ConfigError, Environment, Origin, Setting, auth, certs, proxies};
use crate::global::{Global, LogFormat, ProgressStyle};
use crate::logs::Level;

const CONCURRENCY: [&str; 2] = ["AIRLIFT_CONCURRENT_HTTP", "ACE_DT_CONCURRENT_HTTP"];
const VERBOSITY: [&str; 2] = ["AIRLIFT_VERBOSITY", "ACE_DT_VERBOSITY"];

/// Lays options and variables over what `file`, read from `path`, says.
pub(super) fn merge(
    global: &Global,
    environment: &Environment,
    path: Option<PathBuf>,
    file: File,
) -> Result<Config, ConfigError> {
    let layers = Layers { environment, path: path.as_ref() };
    let concurrent_http = layers.pick(
        ("concurrent-http", global.concurrent_http),
        &CONCURRENCY,
        ("concurrentHTTP", file.concurrent_http.map(|n| n.to_string())),
        positive,
    )?;
    let concurrent_http = optional(concurrent_http);
    let limits = Limits::merge(&layers, global, &file)?;
    let cache = cache(&layers, global, &file)?;
    let verbosity = verbosity(&layers, global, &file)?;
    let log_format = layers
        .pick(
            ("log-format", global.log_format),
            &["AIRLIFT_LOG_FORMAT"],
            ("logFormat", file.log_format.clone()),
            one_of,
        )?
        .unwrap_or(unset(LogFormat::Text));
    let progress = progress(&layers, global, &file)?;
    Ok(Config {
        concurrent_http,
        limits,
        cache,
        verbosity,
        log_format,
        progress,
        auth_files: auth::files(
            global.auth_file.as_ref(),
            environment,
            path.as_ref(),
            file.registry_auth_file.as_ref(),
        )?,
        proxies: proxies::find(environment),
        certificates: certs::find(environment)?,
        unused: file.unused(),
        registries: file.registry_config.registries,
        endpoints: file.registry_config.endpoint_config,
        file: path,
    })
}

/// The directory with hints; `None` when there are to be none.
fn cache(
    layers: &Layers<'_>,
    global: &Global,
    file: &File,
) -> Result<Setting<Option<PathBuf>>, ConfigError> {
    if global.no_cache {
        return Ok(Setting { value: None, origin: Origin::Flag("no-cache") });
    }
    let in_file = file.cache_path.as_ref().map(|path| path.display().to_string());
    let expand = |text: &str| Ok(layers.environment.expand(text));
    let found = layers.pick(
        ("cache-path", global.cache_path.clone()),
        &["AIRLIFT_CACHE_PATH"],
        ("cachePath", in_file),
        expand,
    )?;
    let default = || layers.environment.cache_home().map(|home| home.join("airlift"));
    Ok(found.map_or_else(|| unset(default()), |found| optional(Some(found))))
}

fn verbosity(
    layers: &Layers<'_>,
    global: &Global,
    file: &File,
) -> Result<Setting<Level>, ConfigError> {
    if global.quiet {
        return Ok(Setting { value: Level::Error, origin: Origin::Flag("quiet") });
    }
    let flag = match global.verbose.as_slice() {
        [] => None,
        values => Some(
            Level::of(values)
                .map_err(|message| value_error("the level", Origin::Flag("verbose"), message))?,
        ),
    };
    let found = layers.pick(
        ("verbose", flag),
        &VERBOSITY,
        ("verbosity", file.verbosity.clone()),
        Level::from_str,
    )?;
    Ok(found.unwrap_or(unset(Level::Warn)))
}

fn progress(
    layers: &Layers<'_>,
    global: &Global,
    file: &File,
) -> Result<Setting<ProgressStyle>, ConfigError> {
    if global.quiet && global.progress.is_none() {
        return Ok(Setting { value: ProgressStyle::None, origin: Origin::Flag("quiet") });
    }
    let in_file = file.progress.clone().or(file.hides_progress().then(|| "none".to_owned()));
    let found = layers.pick(
        ("progress", global.progress),
        &["AIRLIFT_PROGRESS"],
        ("progress", in_file),
        one_of,
    )?;
    Ok(found.unwrap_or(unset(ProgressStyle::Auto)))
}

fn positive(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no number from 1 to 65535")),
        Ok(number) => Ok(number),
    }
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let names: Vec<_> = T::value_variants()
            .iter()
            .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("`{text}` is none of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::merge;
    use crate::config::{Environment, Origin, file};
    use crate::global::{Global, LogFormat, ProgressStyle};
    use crate::logs::Level;

    /// Of each of the three layers, whether it says something; then what is in force, and why.
    #[test]
    fn options_win_over_variables_and_those_over_the_file() {
        let root = tempfile::tempdir().expect("a directory");
        let yaml = "concurrentHTTP: 3\nverbosity: error\nlogFormat: text\nprogress: bar\n";
        let from_file = Origin::File("f.yaml".into());
        for (flags, variables, in_file, number, origin) in [
            (true, true, true, Some(1), Origin::Flag("concurrent-http")),
            (true, false, true, Some(1), Origin::Flag("concurrent-http")),
            (false, true, true, Some(2), Origin::Variable("AIRLIFT_CONCURRENT_HTTP")),
            (false, true, false, Some(2), Origin::Variable("AIRLIFT_CONCURRENT_HTTP")),
            (false, false, true, Some(3), from_file),
            (false, false, false, None, Origin::Default),
        ] {
            let case = (flags, variables, in_file);
            let mut global = Global::default();
            if flags {
                global.concurrent_http = Some(1);
                global.log_format = Some(LogFormat::Json);
                global.progress = Some(ProgressStyle::Json);
                global.verbose = vec!["+".to_owned()];
            }
            let set = [
                ("AIRLIFT_CONCURRENT_HTTP", "2"),
                ("ACE_DT_CONCURRENT_HTTP", "9"),
                ("AIRLIFT_LOG_FORMAT", "json"),
                ("AIRLIFT_PROGRESS", "none"),
                ("ACE_DT_VERBOSITY", "debug"),
            ];
            let environment =
                Environment::for_tests(root.path(), if variables { &set } else { &[] });
            let text = if in_file { yaml } else { "" };
            let file = file::parse(Path::new("f.yaml"), text.as_bytes()).expect("reads");
            let config = merge(&global, &environment, Some("f.yaml".into()), file).expect("merges");
            assert_eq!(config.concurrent_http.value, number, "{case:?}");
            assert_eq!(config.concurrent_http.origin, origin, "{case:?}");
            let (level, format, progress) = match case {
                (true, ..) => (Level::Info, LogFormat::Json, ProgressStyle::Json),
                (_, true, _) => (Level::Debug, LogFormat::Json, ProgressStyle::None),
                (.., true) => (Level::Error, LogFormat::Text, ProgressStyle::Bar),
                _ => (Level::Warn, LogFormat::Text, ProgressStyle::Auto),
            };
            assert_eq!(config.verbosity.value, level, "{case:?}");
            assert_eq!(config.log_format.value, format, "{case:?}");
            assert_eq!(config.progress.value, progress, "{case:?}");
        }
    }

    #[test]
    fn a_wrong_value_names_its_place() {
        let root = tempfile::tempdir().expect("a directory");
        for (name, value, wanted) in [
            (
                "AIRLIFT_CONCURRENT_HTTP",
                "0",
                "concurrentHTTP of AIRLIFT_CONCURRENT_HTTP: `0` is no number",
            ),
            ("ACE_DT_VERBOSITY", "loud", "verbosity of ACE_DT_VERBOSITY: `loud` is no level"),
            ("AIRLIFT_PROGRESS", "dots", "`dots` is none of auto, bar, json, none"),
        ] {
            let environment = Environment::for_tests(root.path(), &[(name, value)]);
            let error = merge(&Global::default(), &environment, None, file::File::default())
                .expect_err(name)
                .to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn quiet_is_the_end_of_progress_and_logs() {
        let root = tempfile::tempdir().expect("a directory");
        let environment = Environment::for_tests(root.path(), &[("AIRLIFT_PROGRESS", "bar")]);
        let global = Global { quiet: true, ..Global::default() };
        let config = merge(&global, &environment, None, file::File::default()).expect("merges");
        assert_eq!(config.progress.value, ProgressStyle::None);
        assert_eq!(config.verbosity.value, Level::Error);
    }
}
