//! `--shard I/N`: one of N disjoint parts of a list, which together are the whole.
//!
//! Which part an item falls to depends on its text alone, so that it is the same in every process,
//! in every version, and when other items come or go (`docs/sharding.md`).

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use airlift_oci::types::Digest;
use clap::Args;

use crate::session::Session;

/// The option.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Sharding {
    /// Take only part I of the N that the input falls into, counted from 0: for N processes, each
    /// with another I
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
}

/// Part `index` of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u32,
    count: NonZeroU32,
}

impl Sharding {
    /// Whether everything is taken.
    pub(crate) fn is_whole(self) -> bool {
        self.shard.is_none()
    }

    /// Whether an item falls to this part.
    pub(crate) fn takes(self, item: &str) -> bool {
        self.shard.is_none_or(|shard| shard.takes(item))
    }

    /// The items that fall to this part, in their order.
    pub(crate) fn part<T>(
        self,
        items: Vec<T>,
        text: impl Fn(&T) -> &str,
        session: &Session,
    ) -> Vec<T> {
        let Some(shard) = self.shard else { return items };
        let count = items.len();
        let part: Vec<T> = items.into_iter().filter(|item| shard.takes(text(item))).collect();
        session.say(&format!("shard {shard}: {} of {count} items", part.len()));
        part
    }
}

impl Shard {
    fn takes(self, item: &str) -> bool {
        let digest = Digest::of(item.as_bytes());
        let number = digest.hex().get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        number.unwrap_or_default() % u64::from(self.count.get()) == u64::from(self.index)
    }

    /// As it stands in the name of a file.
    pub(crate) fn file_name(self) -> String {
        format!("{}-of-{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "expected I/N, such as 0/4, 1/4, 2/4 and 3/4 for four processes".to_owned();
        let (index, count) = text.split_once('/').ok_or_else(form)?;
        let index: u32 = index.parse().map_err(|_| form())?;
        let count: NonZeroU32 = count.parse().map_err(|_| form())?;
        if index >= count.get() {
            let last = count.get() - 1;
            return Err(format!("parts are counted from 0: of {count} the last is {last}/{count}"));
        }
        Ok(Shard { index, count })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    fn shard(text: &str) -> Shard {
        text.parse().expect(text)
    }

    #[test]
    fn every_item_falls_to_exactly_one_part() {
        for count in [1, 2, 3, 8, 100] {
            let mut taken = vec![0; count];
            for number in 0..1000 {
                let item = format!("reg.example.com/team/image:{number}");
                let parts: Vec<usize> =
                    (0..count).filter(|i| shard(&format!("{i}/{count}")).takes(&item)).collect();
                assert_eq!(parts.len(), 1, "{item}");
                taken[parts[0]] += 1;
            }
            let fair = 1000 / count;
            assert!(taken.iter().all(|n| (fair / 3..=fair * 3).contains(n)), "{taken:?}");
        }
    }

    #[test]
    fn parts_stay_what_they_are_from_version_to_version() {
        // Its SHA-256 begins with 75be9c490b21b793.
        let item = "docker.io/library/alpine:3.20";
        let parts = |count: u32| (0..count).find(|i| shard(&format!("{i}/{count}")).takes(item));
        assert_eq!((parts(8), parts(1000)), (Some(3), Some(875)));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "4/4", "1/0", "-1/4", "a/b", "0/4/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!(
            "4/4".parse::<Shard>().unwrap_err(),
            "parts are counted from 0: of 4 the last is 3/4"
        );
    }
}
