// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kernel prints when something is wrong with it.

use regex::{Regex, RegexSet};
use std::sync::LazyLock;

/// What a line of the console says about the kernel's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The kernel stopped; nothing more will come.
    Dead,
    /// The kernel found a mistake and went on.
    Complaint,
}

/// The kernel's last words.
const DEAD: &[&str] =
    &[r"Kernel panic - not syncing", r"end Kernel panic", r"System halted after a fatal error"];

/// One pattern per checker of the kernel, each with what prints it.
const COMPLAINTS: &[&str] = &[
    // Oops, page faults in the kernel, BUG() in C; a panic of Rust code ends in BUG() too.
    r"\bOops\b",
    r"\bBUG: ",
    r"kernel BUG at",
    r"rust_kernel: panicked at",
    r"general protection fault",
    r"Internal error:",
    // WARN(), and the lock validator's reports.
    r"\bWARNING: ",
    r"possible circular locking",
    r"possible recursive locking",
    r"possible irq lock inversion",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"INFO: trying to register non-static key",
    r"Invalid wait context",
    r"held lock freed",
    r"ODEBUG: ",
    // Memory checkers.
    r"KASAN: ",
    r"UBSAN: ",
    r"KFENCE: ",
    r"new suspected memory leaks",
    r"list_(add|del) corruption",
    r"refcount_t: ",
    r"Objects remaining in .* on __kmem_cache_shutdown",
    r"slab .* corruption",
    // Nothing moves any more.
    r"blocked for more than \d+ seconds",
    r"soft lockup",
    r"hard LOCKUP",
    r"rcu: .*detected stalls",
    r"rcu: .*self-detected stall",
    r"workqueue lockup",
    // Init, gone or out of memory.
    r"Attempted to kill init",
    r"Out of memory: Killed process",
    r"cannot create duplicate filename",
];

static SETS: LazyLock<(RegexSet, RegexSet)> = LazyLock::new(|| {
    let set = |patterns| RegexSet::new(patterns).expect("the patterns are constants and tested");
    (set(DEAD), set(COMPLAINTS))
});

/// Says whether `line` of a console is a kernel's report of something wrong.
pub(crate) fn classify(line: &str) -> Option<Fault> {
    let (dead, complaints) = &*SETS;
    if dead.is_match(line) {
        return Some(Fault::Dead);
    }
    complaints.is_match(line).then_some(Fault::Complaint)
}

/// The first line of `text` that reports something wrong and is not covered by `allowed`.
pub(crate) fn first<'t>(text: &'t str, allowed: &[Regex]) -> Option<(Fault, &'t str)> {
    text.lines()
        .filter_map(|line| classify(line).map(|fault| (fault, line.trim_end())))
        .find(|(_, line)| !allowed.iter().any(|a| a.is_match(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checkers_report_is_found() {
        let lines = [
            "[    1.0] Oops: general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
            "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000010",
            "[    1.0] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:5",
            "[    1.0] kernel BUG at mm/slub.c:1!",
            "[    1.0] rust_kernel: panicked at modules/scst/lib.rs:1:1:",
            "[    1.0] WARNING: CPU: 0 PID: 1 at fs/x.c:1 f+0x1/0x2",
            "[    1.0] WARNING: fs/x.c:1 at f+0x1/0x2, CPU#1: sh/1",
            "[    1.0] WARNING: possible circular locking dependency detected",
            "[    1.0] WARNING: possible recursive locking detected",
            "[    1.0] WARNING: inconsistent lock state",
            "[    1.0] WARNING: suspicious RCU usage",
            "[    1.0] BUG: KASAN: slab-use-after-free in f+0x1/0x2",
            "[    1.0] UBSAN: array-index-out-of-bounds in x.c:1:1",
            "[    1.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "[    1.0] INFO: task sh:12 blocked for more than 60 seconds.",
            "[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [sh:1]",
            "[    1.0] rcu: INFO: rcu_sched self-detected stall on CPU",
            "[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[    1.0] list_del corruption. prev->next should be ff, but was 00",
            "[    1.0] refcount_t: underflow; use-after-free.",
            "[    1.0] sysfs: cannot create duplicate filename '/x'",
        ];
        for line in lines {
            assert_eq!(classify(line), Some(Fault::Complaint), "{line}");
        }
    }

    #[test]
    fn a_panic_is_the_end() {
        assert_eq!(classify("[ 1.0] Kernel panic - not syncing: sysrq triggered crash"), Some(Fault::Dead));
    }

    #[test]
    fn ordinary_lines_are_not_reports() {
        let lines = [
            "[    0.0] Linux version 7.3.4",
            "[    0.0] debug: unmapping init memory",
            "[    0.1] printk: legacy console [ttyS0] enabled",
            "[    0.1] ACPI: bus type PCI registered",
            "[    0.1] kmemleak: Kernel memory leak detector initialized",
            "[    0.1] Spectre V2 : Mitigation: Retpolines",
            "[    1.0] sd 0:0:0:0: [sda] Write cache: enabled",
            "debugfs: no warning: here",
        ];
        for line in lines {
            assert_eq!(classify(line), None, "{line}");
        }
    }

    #[test]
    fn an_allowed_line_is_passed_over_and_the_next_is_not() {
        let allowed = [Regex::new("WARNING: .* at fs/x.c").unwrap()];
        let text = "a\n[ 1] WARNING: CPU: 0 PID: 1 at fs/x.c:1\r\n[ 2] Oops: x\r\n";
        assert_eq!(first(text, &allowed), Some((Fault::Complaint, "[ 2] Oops: x")));
        assert_eq!(first("all well\n", &[]), None);
    }
}
