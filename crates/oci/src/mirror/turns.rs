//! Many jobs at once, of which those that wait for one host leave room to the others.

use std::collections::{HashMap, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, FuturesUnordered};
use futures_util::{FutureExt, Stream, StreamExt};

use super::executor::Executor;

/// Jobs that wait for their turn. Each belongs to a group, those that wait for the same hosts, and
/// of a group only so many are under way at once.
struct Turns<J> {
    each: usize,
    all: usize,
    numbers: HashMap<String, usize>,
    groups: Vec<Group<J>>,
    /// Jobs that were added.
    count: usize,
    under_way: usize,
}

struct Group<J> {
    waiting: VecDeque<(usize, J)>,
    under_way: usize,
}

/// The right of a job to be under way, to be given back by [`Turns::end`].
#[derive(Debug)]
#[must_use]
struct Turn(usize);

impl<J> Turns<J> {
    /// None yet; of each group `each` may be under way at once, and `all` together.
    fn new(each: usize, all: usize) -> Self {
        let (numbers, groups) = (HashMap::new(), Vec::new());
        Turns { each, all, numbers, groups, count: 0, under_way: 0 }
    }

    /// Adds a job behind the others.
    fn add(&mut self, group: &str, job: J) {
        let number = self.numbers.get(group).copied().unwrap_or_else(|| {
            self.groups.push(Group { waiting: VecDeque::new(), under_way: 0 });
            self.numbers.insert(group.to_owned(), self.groups.len() - 1);
            self.groups.len() - 1
        });
        self.groups[number].waiting.push_back((self.count, job));
        self.count += 1;
    }

    /// The first job whose group has room.
    fn begin(&mut self) -> Option<(Turn, J)> {
        if self.under_way >= self.all {
            return None;
        }
        let groups = self.groups.iter().enumerate();
        let first = groups
            .filter(|(_, group)| group.under_way < self.each)
            .filter_map(|(number, group)| Some((group.waiting.front()?.0, number)))
            .min()?;
        let group = &mut self.groups[first.1];
        let (_, job) = group.waiting.pop_front()?;
        group.under_way += 1;
        self.under_way += 1;
        Some((Turn(first.1), job))
    }

    /// A job is under way no more.
    fn end(&mut self, turn: Turn) {
        self.groups[turn.0].under_way -= 1;
        self.under_way -= 1;
    }
}

/// Carries out every job by `work`, of a group and of all as many at once as `executor` has images,
/// begun in their order; gives the results as they come, with the number of the job.
pub(super) fn abreast<'a, J: Send + 'a, T: Send + 'a>(
    jobs: impl IntoIterator<Item = (String, J)>,
    executor: &Executor,
    work: impl Fn(J) -> BoxFuture<'a, T> + Send + 'a,
) -> BoxStream<'a, (usize, T)> {
    let mut turns = Turns::new(executor.images(), executor.all_images());
    for (number, (group, job)) in jobs.into_iter().enumerate() {
        turns.add(&group, (number, job));
    }
    let state = (turns, FuturesUnordered::new(), work);
    stream::unfold(state, |(mut turns, mut under_way, work)| async move {
        while let Some((turn, (number, job))) = turns.begin() {
            let done = work(job);
            under_way.push(async move { (turn, number, done.await) }.boxed());
        }
        let (turn, number, result) = under_way.next().await?;
        turns.end(turn);
        Some(((number, result), (turns, under_way, work)))
    })
    .boxed()
}

/// The results in the order of their jobs. What comes early waits.
pub(super) fn in_order<'a, T: Send + 'a>(
    results: impl Stream<Item = (usize, T)> + Send + 'a,
) -> BoxStream<'a, T> {
    let state = (Box::pin(results), HashMap::new(), 0);
    stream::unfold(state, |(mut results, mut early, next)| async move {
        loop {
            if let Some(result) = early.remove(&next) {
                return Some((result, (results, early, next + 1)));
            }
            let (number, result) = results.next().await?;
            early.insert(number, result);
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::mirror::executor::ExecutorOptions;
    use crate::observe::silent;

    #[test]
    fn a_group_that_is_full_leaves_room_to_others() {
        let mut turns = Turns::new(2, 3);
        for (group, job) in [("a", 0), ("a", 1), ("a", 2), ("b", 3), ("c", 4)] {
            turns.add(group, job);
        }
        let mut begun = Vec::new();
        while let Some((turn, job)) = turns.begin() {
            begun.push((job, turn));
        }
        assert_eq!(begun.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [0, 1, 3]);
        let (_, turn) = begun.remove(0);
        turns.end(turn);
        assert_eq!(turns.begin().map(|(_, job)| job), Some(2));
        assert!(turns.begin().is_none());
    }

    #[tokio::test]
    async fn what_waits_for_one_host_holds_up_nothing_of_another() {
        let gate = Arc::new(Semaphore::new(0));
        let jobs: Vec<_> = (0..40).map(|n| (if n < 30 { "slow" } else { "quick" }, n)).collect();
        let work = |number: i32| {
            let gate = gate.clone();
            async move {
                if number < 30 {
                    gate.acquire().await.unwrap().forget();
                }
                number
            }
            .boxed()
        };
        let groups = jobs.iter().map(|(group, number)| ((*group).to_owned(), *number));
        let options = ExecutorOptions { images: 4, ..ExecutorOptions::default() };
        let executor = Executor::new(options, silent());
        let mut results = abreast(groups, &executor, work);
        for expected in 30..40 {
            assert_eq!(results.next().await, Some((expected as usize, expected)));
        }
        gate.add_permits(30);
        assert_eq!(results.count().await, 30);
    }

    #[tokio::test]
    async fn results_are_put_in_order_again() {
        let results = stream::iter([(2, 'c'), (0, 'a'), (3, 'd'), (1, 'b')]);
        assert_eq!(in_order(results).collect::<String>().await, "abcd");
    }
}
