//! Many cases at once: each sleeps most of its time, so hundreds share a processor.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

/// Set when the user wants to stop: no new case begins.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Stack of a worker: the model's kernel lives on the heap.
const STACK: usize = 1 << 20;

/// Calls `job` for every number below `count`, `jobs` at a time, each on a thread that may change
/// its own network namespace. `done` gets the results as they come, in the caller's thread.
pub fn run<R: Send>(
    count: usize,
    jobs: usize,
    job: impl Fn(usize) -> R + Sync,
    mut done: impl FnMut(usize, R),
) {
    let next = AtomicUsize::new(0);
    let (send, results) = channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (send, next, job) = (send.clone(), &next, &job);
            let worker = move || {
                while !STOP.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || send.send((index, job(index))).is_err() {
                        return;
                    }
                }
            };
            let builder = std::thread::Builder::new().stack_size(STACK);
            if builder.spawn_scoped(scope, worker).is_err() {
                // No more threads: those that run will do all the work.
                break;
            }
        }
        drop(send);
        for (index, result) in results {
            done(index, result);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_done_once() {
        let mut seen = vec![0; 50];
        run(50, 7, |n| n * 2, |n, r| seen[n] += usize::from(r == n * 2));
        assert_eq!(seen, vec![1; 50]);
    }
}
