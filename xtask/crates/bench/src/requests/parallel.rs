//! Several machines at once. What they count does not depend on how fast they run.

use anyhow::Result;
use std::sync::Mutex;

/// Does the work for each item, at most so many at once, and returns the results in the order of the items. After a
/// failure no further item is begun; of several failures the first item's is returned.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let queue = Mutex::new((items.iter().enumerate(), Vec::new(), false));
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if queue.2 { None } else { queue.0.next() }
    };
    let worker = || {
        while let Some((index, item)) = next() {
            let result = work(item);
            let mut queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            queue.2 |= result.is_err();
            queue.1.push((index, result));
        }
    };
    std::thread::scope(|scope| {
        // A machine dies with the thread that started it, so a worker waits for its machines itself.
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(worker);
        }
    });
    let (_, mut results, _) = queue.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn results_come_in_the_order_of_the_items_and_work_is_done_at_once() {
        // Each pair of items ends only together.
        let barrier = Barrier::new(2);
        let double = |item: &u32| {
            barrier.wait();
            Ok(item * 2)
        };
        assert_eq!(each(&[1, 2, 3, 4], 2, double).unwrap(), [2, 4, 6, 8]);
        assert!(each(&[], 2, double).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_begun_after_a_failure() {
        let begun = Mutex::new(Vec::new());
        let fail = |item: &u32| -> Result<()> {
            begun.lock().unwrap().push(*item);
            anyhow::bail!("{item} fails")
        };
        assert_eq!(each(&[7, 8, 9], 1, fail).unwrap_err().to_string(), "7 fails");
        assert_eq!(*begun.lock().unwrap(), [7]);
    }
}
