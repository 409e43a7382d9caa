//! Lines typed at a prompt: one image at a time, until the end of input.

use airlift_oci::mirror::copy::{ListOptions, Place, Spec, read_line};
use airlift_oci::mirror::{Report, Status};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::{Args, carry, docker};
use crate::exit::Exit;
use crate::interrupt::Hangup;
use crate::session::Session;
use crate::{dispatch, runtime};

const PROMPT: &str = ">>> ";

/// Asks for lines and copies each at once.
pub(super) fn run(args: &Args, session: &Session) -> anyhow::Result<Exit> {
    let registry = docker::destination_registry(args, session);
    let options = args.list_options(registry.as_deref())?;
    session.say("Each line is an image: SOURCE DEST TAG. Ctrl-D ends.");
    let mut editor = DefaultEditor::new()?;
    let mut typed = Typed::default();
    runtime::until_interrupted(Hangup::Ends, |interrupt| async move {
        // The runtime has nothing else to do while a line is typed. Pasted lines come at once.
        while let Some(lines) = tokio::task::block_in_place(|| ask(&mut editor))? {
            for line in lines.lines() {
                if let Some(spec) = typed.read(line, session, &options) {
                    if args.check {
                        let plan = format!("{} -> {}", spec.source(), spec.destination());
                        crate::output::line(&plan)?;
                        let to = vec![spec.destination().to_owned()];
                        typed.report.items.push(dispatch::plan(spec.source(), to, None));
                        continue;
                    }
                    let watch = session.watch()?;
                    let one = carry::one(args, session, &watch, spec.clone())?;
                    let report = interrupt.guard(one).await?;
                    drop(watch);
                    typed.take(session, &spec, report);
                }
            }
        }
        if args.check {
            return args.outcome.conclude_dry(session, "copy", &typed.report, |_| String::new());
        }
        carry::write_failed_lines(args, &typed.failed)?;
        args.outcome.conclude_as(session, "copy", Ok(typed.report), |_| typed.failed.clone())
    })
}

/// What was typed so far, and what came of it.
#[derive(Default)]
struct Typed {
    number: u64,
    report: Report,
    failed: String,
}

impl Typed {
    /// The copy that a line asks for; what is wrong with it is told.
    fn read(&mut self, line: &str, session: &Session, options: &ListOptions) -> Option<Spec> {
        self.number += 1;
        read_line(line, Place::Line(self.number), options).unwrap_or_else(|fault| {
            session.complain(&fault.to_string());
            None
        })
    }

    fn take(&mut self, session: &Session, spec: &Spec, report: Report) {
        for item in &report.items {
            if item.status == Status::Failed {
                self.failed += &spec.again();
                self.failed.push('\n');
                let error = item.error.as_deref().unwrap_or("failed");
                session.complain(&format!("{}: {error}", item.item));
            } else {
                session.say(&format!("{} -> {}: done", spec.source(), spec.destination()));
            }
        }
        self.report.items.extend(report.items);
    }
}

/// The next line; `None` at the end.
fn ask(editor: &mut DefaultEditor) -> anyhow::Result<Option<String>> {
    match editor.readline(PROMPT) {
        Ok(line) => {
            // A line that the history will not take is none to come back to.
            let _ = editor.add_history_entry(&line);
            Ok(Some(line))
        }
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
