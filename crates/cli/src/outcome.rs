//! The end of a run that moves images: summary, report, list of what failed, exit code.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use airlift_oci::inventory::Labels;
use airlift_oci::mirror::{Report, Status};
use airlift_oci::observe::Totals;
use airlift_oci::registry::Kind;
use airlift_oci::store::chain;
use clap::Args;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::trouble_hint;
use crate::leaving::Leaving;
use crate::progress::Wait;
use crate::session::Session;
use crate::size::human;
use crate::table::quoted;
use crate::whole::{writable, write_whole};

/// Where the outcome of a run is written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Outcome {
    /// Write a JSON report of every item to FILE
    #[arg(long, value_name = "FILE", value_parser = writable, help_heading = "Common options")]
    report: Option<PathBuf>,
    /// Write what failed to FILE, in the form of the input, ready to run again
    #[arg(long, value_name = "FILE", value_parser = writable, help_heading = "Common options")]
    failed: Option<PathBuf>,
}

/// What a run came to that may be a dry one.
#[derive(Debug)]
pub(crate) enum Run {
    /// Nothing was moved; what would have been.
    Dry(Report),
    /// What became of every item.
    Moved(Report),
}

/// The file of `--report`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    command: &'a str,
    version: &'a str,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    totals: Totals,
    /// By host and kind.
    requests: BTreeMap<String, BTreeMap<Kind, u64>>,
    /// By cause.
    waits: BTreeMap<&'static str, Wait>,
    #[serde(flatten)]
    report: &'a Report,
}

impl Outcome {
    /// Ends a run: says what became of it, writes the files that were asked for, and gives the
    /// exit code. `labels` are those of the input, so that failed sources can be written with them.
    pub(crate) fn conclude<'a>(
        &self,
        session: &Session,
        command: &str,
        result: anyhow::Result<Report>,
        labels: impl Fn(&str) -> Option<&'a Labels>,
    ) -> anyhow::Result<Exit> {
        self.conclude_as(session, command, result, |report| failed_list(report, labels))
    }

    /// Ends a run that may be a dry one.
    pub(crate) fn conclude_run<'a>(
        &self,
        session: &Session,
        command: &str,
        result: anyhow::Result<Run>,
        labels: impl Fn(&str) -> Option<&'a Labels>,
    ) -> anyhow::Result<Exit> {
        let failed = |report: &Report| failed_list(report, labels);
        match result {
            Ok(Run::Dry(plan)) => self.conclude_dry(session, command, &plan, failed),
            Ok(Run::Moved(report)) => self.conclude_as(session, command, Ok(report), failed),
            Err(error) => self.conclude_as(session, command, Err(error), failed),
        }
    }

    /// Ends a dry run, which has shown its plan: writes the files that were asked for, and tells
    /// what failed, which is a failure of the whole.
    pub(crate) fn conclude_dry(
        &self,
        session: &Session,
        command: &str,
        report: &Report,
        failed: impl FnOnce(&Report) -> String,
    ) -> anyhow::Result<Exit> {
        let exit = if report.failed().next().is_some() { Exit::Failed } else { Exit::Done };
        let mut leaving = Leaving::of(session);
        self.write_report(&mut leaving, session, command, report, exit, None)?;
        if let Some(path) = &self.failed {
            leaving.file(|| write_whole(path, failed(report).as_bytes()));
        }
        complain(session, report);
        Ok(leaving.exit(exit))
    }

    /// The same, for inputs of another form: `failed` gives what is to be run again.
    pub(crate) fn conclude_as(
        &self,
        session: &Session,
        command: &str,
        result: anyhow::Result<Report>,
        failed: impl FnOnce(&Report) -> String,
    ) -> anyhow::Result<Exit> {
        let (report, error) = match result {
            Ok(report) => (report, None),
            // Cut off, or given up: what had ended by then is what there is to tell.
            Err(error) => (session.ended(), Some(error)),
        };
        let exit = match &error {
            Some(error) => crate::failure::exit(error),
            None => exit(&report),
        };
        let mut leaving = Leaving::of(session);
        self.write_report(&mut leaving, session, command, &report, exit, error.as_ref())?;
        if let Some(error) = error {
            return Err(error);
        }
        if let Some(path) = &self.failed {
            leaving.file(|| write_whole(path, failed(&report).as_bytes()));
        }
        complain(session, &report);
        tell_unmatched(session, &report);
        session.say(&summary(command, &report));
        Ok(leaving.exit(exit))
    }

    fn write_report(
        &self,
        leaving: &mut Leaving<'_>,
        session: &Session,
        command: &str,
        report: &Report,
        exit: Exit,
        error: Option<&anyhow::Error>,
    ) -> anyhow::Result<()> {
        let Some(path) = &self.report else { return Ok(()) };
        let document = Document {
            command,
            version: env!("CARGO_PKG_VERSION"),
            exit: exit as u8,
            error: error.map(|error| chain(error.as_ref())),
            totals: report.totals(),
            requests: session.requests(),
            waits: session.waits().read(),
            report,
        };
        let text = serde_json::to_string_pretty(&document)?;
        leaving.file(|| write_whole(path, format!("{text}\n").as_bytes()));
        Ok(())
    }
}

/// Tells what failed, each item with why, and once for all of them what to do about it.
fn complain(session: &Session, report: &Report) {
    let mut hints = BTreeSet::new();
    for item in report.failed() {
        let error = item.error.as_deref().unwrap_or("failed");
        session.complain(&format!("{}: {error}", item.item));
        let cause = item.cause.as_ref();
        hints.extend(
            cause.map(|cause| trouble_hint(cause.trouble, &cause.place, cause.endpoint.as_deref())),
        );
    }
    for hint in hints {
        session.advise(&hint);
    }
}

/// So many items without a destination are named; the report has them all.
const NAMED: usize = 10;

/// Tells which items no rule sends anywhere: a rule that is missing is seen by their names.
fn tell_unmatched(session: &Session, report: &Report) {
    let unmatched = || report.items.iter().filter(|item| item.status == Status::Unmatched);
    for item in unmatched().take(NAMED) {
        session.say(&format!("unmatched: {}: no rule sends it anywhere", item.item));
    }
    if let Some(more) = unmatched().count().checked_sub(NAMED).filter(|more| *more > 0) {
        session.say(&format!("unmatched: {more} more; --report names them all"));
    }
}

/// The exit code of a report: failures beside successes are a part of the work done.
fn exit(report: &Report) -> Exit {
    let failed = report.count(Status::Failed);
    let unmatched = report.count(Status::Unmatched);
    match report.items.len() - failed - unmatched {
        0 if failed > 0 || unmatched > 0 => Exit::Failed,
        _ if failed > 0 => Exit::Partial,
        _ => Exit::Done,
    }
}

/// One line for people.
fn summary(command: &str, report: &Report) -> String {
    let totals = report.totals();
    let mut parts = Vec::new();
    for (status, word) in [
        (Status::Done, "done"),
        (Status::Unchanged, "unchanged"),
        (Status::Unmatched, "without a destination"),
        (Status::Failed, "failed"),
    ] {
        match report.count(status) {
            0 => {}
            count => parts.push(format!("{count} {word}")),
        }
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    format!(
        "{command}: {}; {} moved, {} mounted, {} skipped, {}",
        parts.join(", "),
        totals.moved,
        totals.mounted,
        totals.skipped,
        human(totals.bytes)
    )
}

/// The failed items as a list of sources.
fn failed_list<'a>(report: &Report, labels: impl Fn(&str) -> Option<&'a Labels>) -> String {
    let mut text = String::new();
    for item in report.failed() {
        text.push_str(&quoted(&item.item));
        for (key, value) in labels(&item.item).into_iter().flatten() {
            // Writing to a string cannot fail.
            let _ = write!(text, ",{key}={value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use airlift_oci::inventory::{Labels, parse_sources};
    use airlift_oci::mirror::{ItemReport, Report, Status};

    use super::{exit, failed_list, summary};
    use crate::exit::Exit;

    fn report(statuses: &[Status]) -> Report {
        let item = |(number, status): (usize, &Status)| {
            let mut item = ItemReport::new(&format!("a.io/x:{number}"));
            item.status = *status;
            item
        };
        Report { items: statuses.iter().enumerate().map(item).collect(), index: None }
    }

    #[test]
    fn the_exit_code_tells_all_some_and_none() {
        use Status::{Done, Failed, Unchanged, Unmatched};
        for (statuses, code) in [
            (vec![], Exit::Done),
            (vec![Done, Unchanged], Exit::Done),
            (vec![Done, Unmatched], Exit::Done),
            (vec![Unmatched], Exit::Failed),
            (vec![Done, Failed], Exit::Partial),
            (vec![Unchanged, Failed, Unmatched], Exit::Partial),
            (vec![Failed, Unmatched], Exit::Failed),
        ] {
            assert_eq!(exit(&report(&statuses)), code, "{statuses:?}");
        }
    }

    #[test]
    fn what_failed_can_be_run_again() {
        let report = report(&[Status::Done, Status::Failed, Status::Failed]);
        let labels = Labels::from([("k".to_owned(), "v".to_owned())]);
        let of = |item: &str| (item == "a.io/x:2").then_some(&labels);
        assert_eq!(failed_list(&report, of), "a.io/x:1\na.io/x:2,k=v\n");
        let paths = Report {
            items: vec![ItemReport {
                status: Status::Failed,
                ..ItemReport::new("oci:a, \"b\"/c:1")
            }],
            index: None,
        };
        let list = failed_list(&paths, |_| Some(&labels));
        let read = parse_sources("f.list", list.as_bytes()).expect("is a list");
        assert_eq!((read[0].text.as_str(), &read[0].labels), ("oci:a, \"b\"/c:1", &labels));
        assert!(summary("gather", &report).starts_with("gather: 1 done, 2 failed; "));
    }
}
