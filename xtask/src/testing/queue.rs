// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running tests side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::report::{Failure, Outcome, Report};

/// One test that is ready to be run.
pub(crate) struct Test<'a> {
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) work: Box<dyn Fn() -> Result<(), Failure> + Send + Sync + 'a>,
}

/// Runs `tests`, `at_once` of them at a time and in their order, and reports each as it ends.
pub(crate) fn run(tests: &[Test<'_>], at_once: usize, report: &Report) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(tests.len()) {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if report.stopped() {
                        return;
                    }
                    run_one(test, report);
                }
            });
        }
    });
}

/// Runs one test; a panic of its own code is its failure and not the end of the others.
pub(crate) fn run_one(test: &Test<'_>, report: &Report) {
    let start = Instant::now();
    let work = std::panic::AssertUnwindSafe(|| (test.work)());
    let result = std::panic::catch_unwind(work)
        .unwrap_or_else(|_| Err(Failure::fail("the test's own code panicked; its message is above")));
    report.add(Outcome { name: test.name.clone(), result, time: start.elapsed() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::report::OnFailure;
    use std::time::Duration;

    #[test]
    fn every_test_runs_once_and_a_panic_takes_no_other_with_it() {
        let runs = AtomicUsize::new(0);
        let tests: Vec<_> = (0..20)
            .map(|number| Test {
                name: format!("host/{number}"),
                work: Box::new({
                    let runs = &runs;
                    move || {
                        runs.fetch_add(1, Ordering::Relaxed);
                        assert_ne!(number, 7, "planted");
                        Ok(())
                    }
                }),
            })
            .collect();
        let report = Report::new(OnFailure::GoOn);
        run(&tests, 3, &report);
        assert_eq!(runs.load(Ordering::Relaxed), 20);
        assert!(!report.finish(Duration::ZERO));
    }
}
