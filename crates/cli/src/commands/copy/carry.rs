//! Runs a plan, and ends the run.

use airlift_oci::mirror::copy::{CopyOptions, Spec, all_tags, copy};
use airlift_oci::mirror::{Executor, ItemReport, Report, Status};
use airlift_oci::registry::Credential;
use airlift_oci::store::chain;
use airlift_oci::stores::Stores;
use anyhow::Context;

use super::plan::{self, Plan};
use super::{Args, docker};
use crate::exit::Exit;
use crate::leaving::Leaving;
use crate::progress::Watch;
use crate::session::Session;
use crate::whole::write_whole;
use crate::{dispatch, output, runtime};

/// Where failed lines are written when nothing else is said; behind it the shard, so that several
/// processes in one directory do not write over each other.
const FAILED_LINES: &str = "mirror-failed";

/// What came of a run.
struct Done {
    specs: Vec<Spec>,
    report: Report,
    /// Nothing was moved.
    dry: bool,
}

/// Runs a plan.
pub(super) fn run(args: &Args, session: &Session, plan: Plan) -> anyhow::Result<Exit> {
    let of_lines = matches!(plan, Plan::Lines(..));
    let part = |specs: Vec<Spec>| args.sharding.part(specs, Spec::source, session);
    let plan = match plan {
        Plan::Ready(specs) | Plan::Lines(specs, _) if args.check => {
            let plan = show(&part(specs), Vec::new())?;
            return args.outcome.conclude_dry(session, "copy", &plan, |_| String::new());
        }
        Plan::Ready(specs) => Plan::Ready(part(specs)),
        Plan::Lines(specs, credentials) => Plan::Lines(part(specs), credentials),
        plan @ Plan::Tags { .. } => plan,
    };
    let watch = session.watch()?;
    let result = runtime::guarded(async {
        let (specs, failed, credentials) = match plan {
            Plan::Ready(specs) => (specs, Vec::new(), None),
            Plan::Lines(specs, credentials) => (specs, Vec::new(), credentials),
            Plan::Tags { prefix, repositories, filter } => {
                let stores = session.stores(watch.observer())?;
                let (images, failed) = tags(&stores, &repositories, &filter).await;
                let specs = plan::placed(&prefix, images.iter().map(String::as_str), args)?;
                (part(specs), failed, None)
            }
        };
        if args.check {
            return Ok(Done { dry: true, report: show(&specs, failed)?, specs });
        }
        let stores = stores(session, &watch, credentials)?;
        let options = CopyOptions { referrers: args.recursive, numbered: of_lines };
        let mut report =
            copy(&executor(args, session, &watch), specs.clone(), &stores, &options).await;
        report.items.extend(failed);
        anyhow::Ok(Done { specs, report, dry: false })
    });
    drop(watch);
    conclude(args, session, result, of_lines)
}

/// The stores of a run, with the credentials of the environment before all others.
pub(super) fn stores(
    session: &Session,
    watch: &Watch,
    credentials: Option<(String, Credential)>,
) -> anyhow::Result<Stores> {
    let mut settings = session.config.settings()?;
    settings.credentials.fixed.extend(credentials);
    settings.credentials.fixed_origin = docker::CREDENTIALS.to_owned();
    session.stores_by(settings, watch.observer())
}

/// The executor of a run, with as many images at once as were asked for.
pub(super) fn executor(args: &Args, session: &Session, watch: &Watch) -> Executor {
    match args.jobs {
        None => session.executor(watch.observer()),
        Some(jobs) => session.executor_of(jobs.into(), watch.observer()),
    }
}

/// The images that the tags of `repositories` name, and the repositories that failed.
async fn tags(
    stores: &Stores,
    repositories: &[airlift_oci::types::Reference],
    filter: &airlift_oci::mirror::copy::TagFilter,
) -> (Vec<String>, Vec<ItemReport>) {
    let (mut images, mut failed) = (Vec::new(), Vec::new());
    for repository in repositories {
        let mut report = ItemReport::new(&repository.to_string());
        match all_tags(stores, repository, filter).await {
            Ok(found) if found.is_empty() => report.fail("no tag of it is taken".to_owned()),
            Ok(found) => images.extend(found.iter().map(ToString::to_string)),
            Err(error) => report.fail(format!("listing its tags failed: {}", chain(&error))),
        }
        if report.status == Status::Failed {
            failed.push(report);
        }
    }
    (images, failed)
}

/// Prints the plan; what is reported of it, and of what failed already.
fn show(specs: &[Spec], failed: Vec<ItemReport>) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for spec in specs {
        let kept =
            if spec.keep.is_all() { String::new() } else { format!(" [{}]", spec.keep.words()) };
        output::line(&format!("{} -> {}{kept}", spec.source(), spec.destination()))?;
        report.items.push(dispatch::plan(spec.source(), vec![spec.destination().to_owned()], None));
    }
    report.items.extend(failed);
    Ok(report)
}

/// Writes the files that belong to a form, and ends the run as every other.
fn conclude(
    args: &Args,
    session: &Session,
    result: anyhow::Result<Done>,
    of_lines: bool,
) -> anyhow::Result<Exit> {
    let (specs, result) = match result {
        Ok(Done { specs, report, dry: true }) => {
            let again = |report: &Report| failed(&specs, report);
            return args.outcome.conclude_dry(session, "copy", &report, again);
        }
        Ok(done) => (done.specs, Ok(done.report)),
        Err(error) => (Vec::new(), Err(error)),
    };
    let again = |report: &Report| failed(&specs, report);
    let mut leaving = Leaving::of(session);
    if let (Ok(report), true) = (&result, of_lines) {
        leaving.file(|| write_failed_lines(args, &again(report)));
    }
    Ok(leaving.exit(args.outcome.conclude_as(session, "copy", result, again)?))
}

/// What failed, in the form of its input.
fn failed(specs: &[Spec], report: &Report) -> String {
    let mut text = String::new();
    for (number, item) in report.items.iter().enumerate() {
        if item.status == Status::Failed {
            // Behind those of the specs come repositories whose tags could not be listed.
            text += &specs.get(number).map_or_else(|| item.item.clone(), Spec::again);
            text.push('\n');
        }
    }
    text
}

/// Writes the lines that failed; with none there is no such file.
pub(super) fn write_failed_lines(args: &Args, lines: &str) -> anyhow::Result<()> {
    let path = match (&args.output, args.sharding.shard) {
        (Some(path), _) => path.clone(),
        (None, Some(shard)) => format!("{FAILED_LINES}-{}.txt", shard.file_name()).into(),
        (None, None) => format!("{FAILED_LINES}.txt").into(),
    };
    if !lines.is_empty() {
        return write_whole(&path, lines.as_bytes());
    }
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => std::fs::remove_file(&path)
            .with_context(|| format!("removing {}, as nothing failed, failed", path.display())),
        _ => Ok(()),
    }
}

/// Copies one image for the prompt.
pub(super) fn one(
    args: &Args,
    session: &Session,
    watch: &Watch,
    spec: Spec,
) -> anyhow::Result<impl Future<Output = anyhow::Result<Report>>> {
    let credentials = docker::credentials_of_line(args, session, &spec);
    let stores = stores(session, watch, credentials)?;
    let executor = executor(args, session, watch);
    let options = CopyOptions { referrers: args.recursive, numbered: false };
    Ok(async move { Ok(copy(&executor, vec![spec], &stores, &options).await) })
}
