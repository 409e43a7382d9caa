//! Help under the other names: the flags of that program, in its form.

use clap::Command;

/// For `docker-mirror -h`.
pub(super) const DOCKER_MIRROR: &str = "\
Usage: docker-mirror [-v] -d REGISTRY[/PREFIX] IMAGE...

Copy every platform of each image under a registry, or under a path in one. An official image goes
below library/; of an image for several systems what runs on Linux is carried.

  -d string
        where to: REGISTRY or REGISTRY/PREFIX
  -v    log more

More can be said to `airlift copy --to`.
";

/// For `magic-mirror --help`.
pub(super) const MAGIC_MIRROR: &str = "\
Usage: magic-mirror [--concurrency N] [--verbose] [FILE]

Copy what the copy specs in FILE ask for, or in standard input: JSON objects, and arrays of them,
with `src`, `dst` and `transform.limitPlatforms`. The input is checked as a whole before anything
is asked of a registry.

      --concurrency int   most requests under way to one registry
      --verbose           log more

More can be said to `airlift copy --specs`.
";

/// For `image-tools mirror -h`.
pub(super) const IMAGE_TOOLS: &str = "\
Usage: image-tools mirror [FLAGS]

Copy the images of a list: a line each, SOURCE DEST TAG, comments behind # or //. Without -f lines
are read from standard input, at a terminal with a prompt.

  -a string
        architectures that are carried, separated by ',' (default \"amd64,arm64\")
  -d string
        registry of all destinations; wins over DOCKER_REGISTRY, and that over the list
  -debug
        log more
  -f string
        file with the list
  -j int
        images under way at once, at most 20 (default 1)
  -o string
        file for the lines that failed (default \"mirror-failed.txt\")
  -s string
        registry of all sources; wins over the list

DOCKER_USERNAME and DOCKER_PASSWORD are for the registry of the destinations.
More can be said to `airlift copy --list`.
";

/// `text` as the parser gives help: on standard output, and no failure.
pub(super) fn show(text: &'static str) -> clap::Error {
    let mut command = Command::new("airlift").override_help(text);
    command
        .try_get_matches_from_mut(["airlift", "--help"])
        .map_or_else(|error| error, |_| clap::Error::new(clap::error::ErrorKind::DisplayHelp))
}
