//! The command line as a whole: the commands, the options that all share, and their dispatch.

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::clash;
use crate::commands::{
    archive, batch_deserialize, batch_serialize, clone, completion, config, copy, deserialize,
    diff, gather, inspect, login, logout, man, mbuffer, proxy, route, scatter, serialize, serve,
    unarchive, verify,
};
use crate::drop_in;
use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::global::Global;
use crate::screen::Screen;
use crate::session::Session;

/// Carry container images across an air gap.
///
/// On the low side, gather images from many registries and serialize them to a tape, a disc or a
/// file; on the high side, deserialize the medium and scatter the images to where they belong.
#[derive(Debug, Parser)]
#[command(name = "airlift", version, subcommand_required = true, arg_required_else_help = true)]
#[command(max_term_width = 100, after_long_help = concat!(
    "Examples:\n  \
     airlift gather sources.list reg.example.com/gather:sync-45\n  \
     airlift scatter reg.high.example.com/scatter:sync-45 nest=reg.high.example.com/mirror",
    exit_codes!()
))]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Every command. Its file in [`crate::commands`] says what it does.
#[derive(Debug, Subcommand)]
enum Command {
    Gather(gather::Args),
    Serialize(serialize::Args),
    Deserialize(deserialize::Args),
    Scatter(scatter::Args),
    Clone(clone::Args),
    Copy(copy::Args),
    Archive(archive::Args),
    Unarchive(unarchive::Args),
    Route(route::Args),
    BatchSerialize(batch_serialize::Args),
    BatchDeserialize(batch_deserialize::Args),
    Verify(verify::Args),
    Inspect(inspect::Args),
    Diff(diff::Args),
    Serve(serve::Args),
    Proxy(proxy::Args),
    Mbuffer(mbuffer::Args),
    Login(login::Args),
    Logout(logout::Args),
    Config(config::Args),
    Completion(completion::Args),
    Man(man::Args),
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Invocation {
    global: Global,
    command: Command,
    /// A file that would be written twice, or over what is read.
    clash: Result<(), Usage>,
}

/// The whole command line, for parsing, help, completion and pages.
pub(crate) fn definition() -> clap::Command {
    let plain = Cli::command();
    let commands: Vec<_> = plain.get_subcommands().cloned().collect();
    let mirror = clap::Command::new("mirror")
        .about("The same commands once more: `airlift mirror X` is `airlift X`")
        .long_about(
            "The same commands once more: `airlift mirror X` is `airlift X`, so that scripts \
             written for `ace-dt mirror X` run with the program's name replaced.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands);
    plain.subcommand(mirror)
}

/// Parses the process's arguments.
pub(crate) fn parse() -> Result<Invocation, clap::Error> {
    parse_from(drop_in::arguments(std::env::args_os())?)
}

fn parse_from<I, T>(arguments: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let mut matches = definition().try_get_matches_from(arguments)?;
    if let Some(("mirror", inner)) = matches.subcommand() {
        matches = inner.clone();
    }
    let global = Global::from_arg_matches(leaf(&matches))?;
    let clash = clash::check(leaf(&matches));
    let command = Command::from_arg_matches(&matches)?;
    Ok(Invocation { global, command, clash })
}

/// The matches of the innermost command: options that all share have arrived there.
fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

impl Invocation {
    /// Runs the command.
    pub(crate) fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        self.clash?;
        // These need no configuration, and work when it is broken.
        match &self.command {
            Command::Completion(args) => return completion::run(args, definition()),
            Command::Man(args) => return man::run(args, definition()),
            Command::Config(args) if args.sample => return config::sample(),
            // This one has a configuration of its own, with what is logged in it.
            Command::Proxy(args) => return proxy::run(args, &self.global, screen),
            _ => {}
        }
        let session = Session::open(self.global.clone(), screen)?;
        match &self.command {
            Command::Gather(args) => gather::run(args, &session),
            Command::Serialize(args) => serialize::run(args, &session),
            Command::Deserialize(args) => deserialize::run(args, &session),
            Command::Scatter(args) => scatter::run(args, &session),
            Command::Clone(args) => clone::run(args, &session),
            Command::Copy(args) => copy::run(args, &session),
            Command::Archive(args) => archive::run(args, &session),
            Command::Unarchive(args) => unarchive::run(args, &session),
            Command::Verify(args) => verify::run(args, &session),
            Command::Inspect(args) => inspect::run(args, &session),
            Command::Diff(args) => diff::run(args, &session),
            Command::Route(args) => route::run(args, &session),
            Command::BatchSerialize(args) => batch_serialize::run(args, &session),
            Command::BatchDeserialize(args) => batch_deserialize::run(args, &session),
            Command::Serve(args) => serve::run(args, &session),
            Command::Mbuffer(args) => mbuffer::run(args, &session),
            Command::Login(args) => login::run(args, &session),
            Command::Logout(args) => logout::run(args, &session),
            Command::Config(_) => config::run(&session),
            Command::Completion(args) => completion::run(args, definition()),
            Command::Man(args) => man::run(args, definition()),
            Command::Proxy(args) => proxy::run(args, &self.global, screen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{definition, parse_from};

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn mirror_is_accepted_in_front_of_every_command_with_options_anywhere() {
        for line in [
            "airlift mirror config",
            "airlift --config a.yaml mirror config -v",
            "airlift mirror --quiet config",
            "airlift mirror config --no-term -v=info",
        ] {
            parse_from(line.split(' ')).expect(line);
        }
        let invocation =
            parse_from("airlift mirror -vv config --quiet".split(' ')).expect("parses");
        assert!(invocation.global.quiet);
        assert_eq!(invocation.global.verbose.len(), 2);
    }

    #[test]
    fn every_command_has_two_examples_and_its_exit_codes() {
        for command in definition().get_subcommands().filter(|c| c.get_name() != "mirror") {
            let name = command.get_name().to_owned();
            let help = command.clone().render_long_help().to_string();
            let examples = help.lines().filter(|l| l.trim().starts_with("airlift ")).count();
            assert!(examples >= 2, "{name} has {examples} examples");
            assert!(help.contains("Exit codes:"), "{name} does not list its exit codes");
        }
    }
}
