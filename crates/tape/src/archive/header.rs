//! Header bytes of an entry: a pure function of name, size and kind (POSIX ustar, with a pax header
//! in front when a name is over 100 bytes or a size 8 GiB and more).

use tar::{EntryType, Header};

/// Tar's unit: headers are this long, content is padded to a multiple of it.
pub const BLOCK: u64 = 512;

/// The largest size that eleven octal digits hold.
const MAX_OCTAL: u64 = 0o777_7777_7777;
const MAX_NAME: usize = 100;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// Zero bytes between content of `size` bytes and the next header.
pub fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK
}

/// The header bytes. All fields but name, size and kind are constants, so that equal content
/// gives equal archives. Both writing and checking an archive rest on this.
pub(crate) fn encode(name: &str, size: u64, kind: Kind) -> Vec<u8> {
    let mut pax = Vec::new();
    if name.len() > MAX_NAME {
        record(&mut pax, "path", name);
    }
    if size > MAX_OCTAL {
        record(&mut pax, "size", &size.to_string());
    }
    let mut bytes = Vec::with_capacity(BLOCK as usize);
    if !pax.is_empty() {
        let short = name.rsplit('/').next().unwrap_or(name);
        let name = format!("PaxHeaders.0/{}", cut(short, MAX_NAME - 13));
        bytes.extend(plain(&name, pax.len() as u64, EntryType::XHeader, 0o666));
        let fill = padding(pax.len() as u64) as usize;
        bytes.extend(pax);
        bytes.resize(bytes.len() + fill, 0);
    }
    let (entry_type, mode) = match kind {
        Kind::File => (EntryType::Regular, 0o666),
        Kind::Directory => (EntryType::Directory, 0o777),
    };
    // A size that does not fit is 0 here: readers take it from the pax header.
    let size = if size > MAX_OCTAL { 0 } else { size };
    bytes.extend(plain(cut(name, MAX_NAME), size, entry_type, mode));
    bytes
}

fn plain(name: &str, size: u64, entry_type: EntryType, mode: u32) -> [u8; BLOCK as usize] {
    let mut header = Header::new_ustar();
    if let Some(fields) = header.as_ustar_mut() {
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
    }
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    *header.as_bytes()
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(pax: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    pax.extend(format!("{length} {key}={value}\n").bytes());
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tar_crate_reads_every_form() {
        let long = format!("blobs/sha512/{}", "a".repeat(128));
        for (name, size) in [("index.json", 5), (long.as_str(), 5), ("b", 9 << 30)] {
            let bytes = encode(name, size, Kind::File);
            assert_eq!(bytes.len() as u64 % BLOCK, 0);
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!((entry.path().unwrap().to_str().unwrap(), entry.size()), (name, size));
        }
    }

    #[test]
    fn a_pax_record_counts_its_own_length() {
        for length in [1, 90, 91, 92, 93, 988, 989, 990, 991] {
            let mut pax = Vec::new();
            record(&mut pax, "k", &"v".repeat(length));
            let text = String::from_utf8(pax).unwrap();
            let counted: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(counted, text.len());
        }
    }

    #[test]
    fn fields_are_constants() {
        let bytes = encode("blobs", 0, Kind::Directory);
        let header = Header::from_byte_slice(&bytes);
        assert_eq!(header.mode().unwrap(), 0o777);
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
        assert_eq!(bytes, encode("blobs", 0, Kind::Directory));
    }
}
