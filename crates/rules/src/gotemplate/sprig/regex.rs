//! Regular expressions.

use std::sync::Arc;

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::regexp::{Regexp, Subject, quote_meta};
use crate::gotemplate::text::GoStr;
use crate::gotemplate::value::{Elem, Fail, List, Out, Value};

const S: Ty = Ty::Str;
const ALL: &[Ty] = &[S, S, Ty::Int];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[S, S], |env, args| match must_compile(env, args) {
        Err(Fail::Error(_)) => Ok(Value::Bool(false)),
        Err(limit) => Err(limit),
        Ok(regexp) => Ok(Value::Bool(regexp.is_match(&text(args), &env.budget)?)),
    }),
    fixed("mustRegexMatch", &[S, S], |env, args| {
        Ok(Value::Bool(compile(env, args)?.is_match(&text(args), &env.budget)?))
    }),
    fixed("regexFind", &[S, S], |env, args| find(env, args, must_compile)),
    fixed("mustRegexFind", &[S, S], |env, args| find(env, args, compile)),
    fixed("regexFindAll", ALL, |env, args| find_all(env, args, must_compile)),
    fixed("mustRegexFindAll", ALL, |env, args| find_all(env, args, compile)),
    fixed("regexReplaceAll", &[S, S, S], |env, args| replace(env, args, must_compile)),
    fixed("mustRegexReplaceAll", &[S, S, S], |env, args| replace(env, args, compile)),
    fixed("regexReplaceAllLiteral", &[S, S, S], |env, args| {
        replace_literal(env, args, must_compile)
    }),
    fixed("mustRegexReplaceAllLiteral", &[S, S, S], |env, args| {
        replace_literal(env, args, compile)
    }),
    fixed("regexSplit", ALL, |env, args| split(env, args, must_compile)),
    fixed("mustRegexSplit", ALL, |env, args| split(env, args, compile)),
    fixed("regexQuoteMeta", &[S], |_, args| Ok(Value::str(quote_meta(args.text(0))))),
];

/// Matches that Go makes room for at first.
const FOUND_ROOM: usize = 10;

type Compile = fn(&Env<'_>, Args<'_>) -> Result<Arc<Regexp>, Fail>;

fn compile(env: &Env<'_>, args: Args<'_>) -> Result<Arc<Regexp>, Fail> {
    env.budget.step(10 + args.text(0).len() / 4)?;
    Ok(env.regexes.compile(args.text(0))?)
}

/// As [`compile`], with the words of Go's `MustCompile`.
fn must_compile(env: &Env<'_>, args: Args<'_>) -> Result<Arc<Regexp>, Fail> {
    compile(env, args).map_err(|fail| match fail {
        Fail::Error(message) => Fail::Error(format!(
            "regexp: Compile(`{}`): {message}",
            String::from_utf8_lossy(args.text(0))
        )),
        limit @ Fail::Limit(_) => limit,
    })
}

fn text(args: Args<'_>) -> Subject<'_> {
    Subject::new(args.text(1))
}

fn find(env: &Env<'_>, args: Args<'_>, compile: Compile) -> Out {
    Ok(Value::str(compile(env, args)?.find(&text(args), &env.budget)?))
}

fn find_all(env: &Env<'_>, args: Args<'_>, compile: Compile) -> Out {
    let (regexp, text) = (compile(env, args)?, text(args));
    let found = regexp.find_all(&text, args.int(2), &env.budget)?;
    if found.is_empty() {
        return Ok(Value::List(List::nil(Elem::Str)));
    }
    let parts = found.iter().map(|&(start, end)| Value::Str(GoStr::from(text.part(start, end))));
    env.budget.elements(found.len())?;
    Ok(Value::List(List::appended(Elem::Str, parts.collect(), FOUND_ROOM)))
}

fn replace(env: &Env<'_>, args: Args<'_>, compile: Compile) -> Out {
    let (regexp, text) = (compile(env, args)?, text(args));
    let replaced = regexp.replace(&text, &env.budget, |out, groups| {
        regexp.expand(out, args.text(2), &text, groups);
        Ok(())
    })?;
    Ok(Value::str(replaced))
}

fn replace_literal(env: &Env<'_>, args: Args<'_>, compile: Compile) -> Out {
    let (regexp, text) = (compile(env, args)?, text(args));
    let replaced = regexp.replace(&text, &env.budget, |out, _| {
        out.extend_from_slice(args.text(2));
        Ok(())
    })?;
    Ok(Value::str(replaced))
}

/// `Regexp.Split`: a match at the very start gives no empty part if it is empty itself.
fn split(env: &Env<'_>, args: Args<'_>, compile: Compile) -> Out {
    let (regexp, text, limit) = (compile(env, args)?, text(args), args.int(2));
    if limit == 0 {
        return Ok(Value::List(List::nil(Elem::Str)));
    }
    if !args.text(0).is_empty() && args.text(1).is_empty() {
        return Ok(Value::strings(vec!["".into()]));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    let found = regexp.find_all(&text, limit, &env.budget)?;
    let room = found.len();
    for (start, stop) in found {
        if parts.len() + 1 >= most {
            break;
        }
        end = start;
        if stop != 0 {
            parts.push(Value::Str(text.part(begin, end).into()));
        }
        begin = stop;
    }
    if end != text.shown().len() {
        parts.push(Value::Str(text.tail(begin).into()));
    }
    env.budget.elements(parts.len())?;
    Ok(Value::List(List::appended(Elem::Str, parts, room)))
}
