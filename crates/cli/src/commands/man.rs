//! `airlift man`: manual pages from the definition of the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args as Derive;

use crate::exit::{Exit, exit_codes};
use crate::failure::Usage;
use crate::output;

/// Print a manual page, or write one page a command
#[derive(Debug, Derive)]
#[command(after_long_help = concat!(
    "Examples:\n  \
     airlift man config | man -l -\n  \
     airlift man --dir /usr/local/share/man/man1",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The command whose page is printed; without it, that of airlift itself
    command: Option<String>,
    /// Write every page into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
    /// Write Markdown instead of roff
    #[arg(long)]
    markdown: bool,
}

/// Prints or writes pages of the command line that `definition` describes.
pub(crate) fn run(args: &Args, definition: clap::Command) -> anyhow::Result<Exit> {
    let pages = pages(definition);
    let page = |command: &clap::Command| {
        if args.markdown { Ok(markdown(command)) } else { roff(command) }
    };
    let Some(dir) = &args.dir else {
        let name = args.command.as_deref().map_or("airlift".to_owned(), |c| format!("airlift-{c}"));
        let command = pages.iter().find(|(found, _)| *found == name).ok_or_else(|| {
            Usage::new(
                format!("there is no command `{name}`"),
                "`airlift --help` lists the commands",
            )
        })?;
        output::text(&page(&command.1)?)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(dir).with_context(|| format!("creating {} failed", dir.display()))?;
    for (name, command) in &pages {
        let file = if args.markdown { format!("{name}.md") } else { format!("{name}.1") };
        write(&dir.join(file), &page(command)?)?;
    }
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {} failed", path.display()))
}

/// Every page: its name, and the command with its full name.
fn pages(definition: clap::Command) -> Vec<(String, clap::Command)> {
    let mut root = definition.disable_help_subcommand(true);
    root.build();
    let commands = root.get_subcommands().filter(|command| command.get_name() != "mirror");
    let commands = commands.map(|command| {
        let name = format!("airlift-{}", command.get_name());
        (name, command.clone())
    });
    let mut pages: Vec<_> = commands.collect();
    pages.insert(0, ("airlift".to_owned(), root));
    pages
}

fn roff(command: &clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    let mut command = command.clone();
    if command.find_subcommand("mirror").is_some() {
        // It has no page of its own, so none is to be named.
        command = command.mut_subcommand("mirror", |mirror| mirror.hide(true));
    }
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}

fn markdown(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or("airlift").to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let help = command.clone().term_width(100).render_long_help().to_string();
    let mut page = format!("# {name}\n\n{about}.\n\n```text\n");
    for line in help.lines() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{}", line.trim_end());
    }
    page.push_str("```\n");
    page
}
