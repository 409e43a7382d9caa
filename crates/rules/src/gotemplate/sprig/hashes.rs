//! Checksums.

use data_encoding::HEXLOWER;
use sha1::Digest as _;

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::value::{Out, Value};

const S: &[Ty] = &[Ty::Str];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("sha1sum", S, |env, args| hex(env, args, |text| sha1::Sha1::digest(text).to_vec())),
    fixed("sha256sum", S, |env, args| hex(env, args, |text| sha2::Sha256::digest(text).to_vec())),
    fixed("sha512sum", S, |env, args| hex(env, args, |text| sha2::Sha512::digest(text).to_vec())),
    fixed("adler32sum", S, |_, args| Ok(Value::str(adler32(args.text(0)).to_string()))),
];

fn hex(env: &Env<'_>, args: Args<'_>, sum: fn(&[u8]) -> Vec<u8>) -> Out {
    env.budget.step(args.text(0).len() / 16)?;
    Ok(Value::str(HEXLOWER.encode(&sum(args.text(0)))))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}
