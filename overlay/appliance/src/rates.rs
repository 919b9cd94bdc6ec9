// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast sessions are: the difference of their counters between two looks.

use crate::live::{Io, Live, Session, Target};
use serde::Serialize;
use std::time::Duration;

/// One session's speed, per second.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Rate {
    pub(crate) driver: String,
    pub(crate) target: String,
    pub(crate) session: String,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
}

impl Rate {
    /// Whether it is this session's.
    pub(crate) fn is_of(&self, target: &Target, session: &Session) -> bool {
        (&self.driver, &self.target, &self.session) == (&target.driver, &target.name, &session.name)
    }
}

/// The speed of every session that both looks saw.
pub(crate) fn between(before: &Live, now: &Live, passed: Duration) -> Vec<Rate> {
    let mut rates = Vec::new();
    for target in &now.targets {
        for session in &target.sessions {
            if let Some(then) = io_of(before, target, session) {
                rates.push(rate(target, session, then, passed));
            }
        }
    }
    rates
}

fn io_of(live: &Live, target: &Target, session: &Session) -> Option<Io> {
    let known =
        live.targets.iter().find(|known| known.driver == target.driver && known.name == target.name)?;
    known.sessions.iter().find(|known| known.name == session.name).map(|known| known.io)
}

fn rate(target: &Target, session: &Session, then: Io, passed: Duration) -> Rate {
    let milliseconds = u128::max(passed.as_millis(), 1);
    // Somebody may have reset the counters meanwhile: what they show now is what happened since.
    let since = |now: u64, then: u64| if now < then { now } else { now - then };
    let per_second = |count: u64| u64::try_from(u128::from(count) * 1000 / milliseconds).unwrap_or(u64::MAX);
    let bytes = |kib: u64| per_second(kib.saturating_mul(1024));
    let now = session.io;
    Rate {
        driver: target.driver.clone(),
        target: target.name.clone(),
        session: session.name.clone(),
        reads: per_second(since(now.reads, then.reads)),
        writes: per_second(since(now.writes, then.writes)),
        read_bytes: bytes(since(now.read_kib, then.read_kib)),
        written_bytes: bytes(since(now.written_kib, then.written_kib)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(reads: u64, kib: u64) -> Live {
        let io = Io { reads, read_kib: kib, ..Io::default() };
        let session = Session { name: "s".into(), group: None, host: None, active_commands: None, io };
        let target =
            Target { driver: "scst_local".into(), name: "t".into(), sessions: vec![session], luns: vec![] };
        Live { targets: vec![target], ..Live::default() }
    }

    #[test]
    fn rates_are_per_second_and_survive_a_reset() {
        let passed = Duration::from_millis(500);
        let rates = between(&live(10, 100), &live(30, 612), passed);
        assert_eq!((rates[0].reads, rates[0].read_bytes, rates[0].writes), (40, 1 << 20, 0));
        let rates = between(&live(10, 100), &live(4, 8), passed);
        assert_eq!((rates[0].reads, rates[0].read_bytes), (8, 16384));
        assert_eq!(between(&Live::default(), &live(1, 1), passed), []);
    }
}
