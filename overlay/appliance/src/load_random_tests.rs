// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random configurations one after the other: whatever was there before, one load makes what runs be the next one, and
//! a second load finds nothing to do.

use super::tests::{conf, keep, load, own, sorted};
use crate::fake::Fake;
use crate::report::State;

/// A small generator of repeatable random numbers (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Some of these lines, in this order.
    fn some(&mut self, lines: &[&str]) -> String {
        lines.iter().filter(|_| self.below(3) == 0).map(|line| format!("{line}\n")).collect()
    }

    /// Some of these, in any order.
    fn shuffled<T: Copy>(&mut self, all: &[T]) -> Vec<T> {
        let mut some: Vec<T> = all.iter().filter(|_| self.below(3) > 0).copied().collect();
        for at in 0..some.len() {
            let other = self.below(some.len());
            some.swap(at, other);
        }
        some
    }
}

/// A profile of few names, so that two of them have much in common. It gives no attribute whose default depends on
/// the device, since nothing takes such a value back.
fn profile(random: &mut Random) -> String {
    let mut text = String::from("schema = 1\n[scst]\n");
    text += &random.some(&["setup_id = 5", "measure_latency = true", "poll_us = 3"]);
    let devices = random.shuffled(&["a", "b", "c", "d"]);
    for name in &devices {
        text += &format!("[[device]]\nname = \"{name}\"\n");
        text += match random.below(4) {
            0 => "handler = \"vcdrom\"\n",
            1 => "handler = \"vcdrom\"\nfilename = \"/data/disc.iso\"\n",
            2 => "handler = \"vdisk_nullio\"\n",
            _ => "handler = \"vdisk_nullio\"\nsize = \"1 GiB\"\nread_only = true\n",
        };
        text += &random.some(&["threads_pool_type = \"shared\"", "max_tgt_dev_commands = 5", "tst = 0"]);
    }
    let mut numbers = random.shuffled(&[1, 2, 3, 4]);
    for name in random.shuffled(&["t", "u", "v"]) {
        text += &format!("[[target]]\nname = \"{name}\"\n");
        let sessions: Vec<String> =
            random.shuffled(&["x", "y"]).iter().map(|session| format!("\"{name}{session}\"")).collect();
        text += &format!("sessions = [{}]\n", sessions.join(", "));
        if let Some(number) = numbers.pop() {
            text += &format!("rel_tgt_id = {number}\n");
        }
        let attributes =
            ["forward_dst = true", "black_hole = 1", "comment = \"ö \"", "addr_method = \"FLAT\""];
        text += &random.some(&attributes);
        luns(&mut text, "target.lun", &devices, random);
        let mut patterns = random.shuffled(&["*x", "?y", "tx", "z*"]);
        for group in random.shuffled(&["g", "h", "i"]) {
            let own: Vec<String> = patterns.pop().iter().map(|pattern| format!("\"{pattern}\"")).collect();
            text += &format!("[[target.group]]\nname = \"{group}\"\ninitiators = [{}]\n", own.join(", "));
            text += &random.some(&["black_hole = 2", "addr_method = \"LUN\""]);
            luns(&mut text, "target.group.lun", &devices, random);
        }
    }
    text
}

fn luns(text: &mut String, table: &str, devices: &[&str], random: &mut Random) {
    for lun in random.shuffled(&[0, 1, 5]) {
        if let Some(device) = devices.get(random.below(5)) {
            let read_only = random.below(2) == 0;
            *text += &format!("[[{table}]]\nlun = {lun}\ndevice = \"{device}\"\nread_only = {read_only}\n");
        }
    }
}

#[test]
fn whatever_was_there_one_load_makes_it_the_next_profile() {
    let mut random = Random(0xa11_0f17);
    let mut fake = Fake::new();
    for round in 0..40 {
        let text = profile(&mut random);
        // What is not ours is added to, and never interrupted.
        if random.below(3) == 0 {
            let (_, writes) = load(&mut fake, &keep("/other.toml"), &profile(&mut random));
            let takes_away =
                |write: &String| ["< del", "< replace", "< clear"].iter().any(|verb| write.contains(verb));
            assert!(!writes.iter().any(takes_away), "{writes:?}");
        }
        let (report, _) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!(
            report.state,
            State::Up,
            "{round}: {:?} {}\n{text}",
            report.failures,
            report.profile_errors
        );
        let (again, writes) = load(&mut fake, &own("/profile.toml"), &text);
        assert_eq!((writes, again.up), (Vec::new(), again.present), "{round}:\n{text}");
        let mut fresh = Fake::new();
        load(&mut fresh, &own("/profile.toml"), &text);
        // A number that nobody describes any more stays.
        let shown = |fake: &Fake| {
            let conf = conf(fake);
            sorted(&conf)
                .into_iter()
                .filter(|line| !line.contains("rel_tgt_id"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(shown(&fake), shown(&fresh), "{round}:\n{text}");
    }
}
