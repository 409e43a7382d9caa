//! What the methods of digests hand out to compute with: hashes, digesters and verifiers.

use std::cell::RefCell;
use std::rc::Rc;

use sha2::Digest as _;

use crate::gotemplate::text::GoStr;

/// A running hash; its clones share what was written.
#[derive(Clone, Debug)]
pub(crate) struct Hash {
    kind: HashKind,
    algorithm: Algorithm,
    written: Rc<RefCell<Vec<u8>>>,
}

/// Which of go-digest's types it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HashKind {
    /// `hash.Hash`
    Plain,
    /// `digest.Digester`
    Digester,
    /// `digest.Verifier` of the digest
    Verifier(GoStr),
}

/// The algorithms go-digest knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// The algorithm of that name.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"sha256" => Some(Self::Sha256),
            b"sha384" => Some(Self::Sha384),
            b"sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Its name in a digest.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Bytes of a hash.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Bytes the function works on at a time.
    pub(crate) fn block_size(self) -> usize {
        if self == Self::Sha256 { 64 } else { 128 }
    }

    /// The hash of the bytes.
    pub(crate) fn sum(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }

    /// The digest of the bytes.
    pub(crate) fn digest(self, bytes: &[u8]) -> GoStr {
        format!("{}:{}", self.name(), data_encoding::HEXLOWER.encode(&self.sum(bytes))).into()
    }
}

impl Hash {
    /// Stands for the address of what has no printable form.
    pub(crate) const ADDRESS: u64 = 0xc000_0000_0000;

    /// A hash nothing was written to.
    pub(crate) fn new(kind: HashKind, algorithm: Algorithm) -> Self {
        Self { kind, algorithm, written: Rc::default() }
    }

    /// Which type it is.
    pub(crate) fn kind(&self) -> &HashKind {
        &self.kind
    }

    /// The plain hash a digester writes to.
    pub(crate) fn inner(&self) -> Self {
        Self { kind: HashKind::Plain, ..self.clone() }
    }

    /// Its algorithm.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Appends to what is hashed.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.written.borrow_mut().extend_from_slice(bytes);
    }

    /// The hash of what was written.
    pub(crate) fn sum(&self) -> Vec<u8> {
        self.algorithm.sum(&self.written.borrow())
    }

    /// The digest of what was written.
    pub(crate) fn digest(&self) -> GoStr {
        self.algorithm.digest(&self.written.borrow())
    }

    /// Whether both are the same hash.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.written, &other.written)
    }

    /// Go's name of the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match (&self.kind, self.algorithm) {
            (HashKind::Digester, _) => "*digest.digester",
            (HashKind::Verifier(_), _) => "digest.hashVerifier",
            (HashKind::Plain, Algorithm::Sha256) => "*sha256.Digest",
            (HashKind::Plain, _) => "*sha512.Digest",
        }
    }
}
