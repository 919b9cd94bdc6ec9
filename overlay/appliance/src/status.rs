// SPDX-License-Identifier: MIT OR Apache-2.0
//! `appliance status`: what is served, and what the last load could not do, at a glance.

use crate::live::{Device, DeviceState, Live, Session, Target};
use crate::rates::Rate;
use crate::report::{Report, State};
use serde::Serialize;

/// All parts of the answer, as JSON shows them.
#[derive(Serialize)]
pub(crate) struct Status {
    /// What the target stack serves now.
    pub(crate) live: Live,
    /// How fast each session was since the last look; none at the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rates: Option<Vec<Rate>>,
    /// The report of the last load; none if there was none.
    pub(crate) last_load: Option<Report>,
}

impl Status {
    /// As indented JSON.
    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a status has only strings and numbers");
        text.push('\n');
        text
    }

    /// 0 if the last load did all it should and the stack is there, 1 otherwise.
    pub(crate) fn exit_status(&self) -> u8 {
        let good = self.last_load.as_ref().is_some_and(|report| report.state == State::Up);
        u8::from(!good || self.live.version.is_none())
    }

    /// As tables.
    pub(crate) fn text(&self) -> String {
        let mut text =
            self.live.version.clone().unwrap_or_else(|| "The target core `scst` is not loaded.".into());
        text.push('\n');
        text.push_str(&handlers(&self.live));
        let sessions = session_table(&self.live, self.rates.as_deref());
        for table in [device_table(&self.live), sessions, lun_table(&self.live), group_table(&self.live)] {
            if table.len() > 1 {
                text.push('\n');
                text.push_str(&aligned(&table));
            }
        }
        text.push_str(&error_handling(&self.live));
        text.push('\n');
        match &self.last_load {
            None => text.push_str("No profile was loaded since the box started: `appliance load` does it.\n"),
            Some(report) => text.push_str(&load_text(report)),
        }
        text
    }
}

/// Handlers in one line, each with the number of its devices.
fn handlers(live: &Live) -> String {
    let each = live.handlers.iter().map(|handler| format!("{} {}", handler.name, handler.devices.len()));
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return String::new();
    }
    format!("Devices by handler: {}\n", each.join(", "))
}

/// Drivers whose initiators had to abort or reset something.
fn error_handling(live: &Live) -> String {
    let troubled =
        live.error_handling.iter().filter(|(_, stats)| stats.contains(|c| ('1'..='9').contains(&c)));
    troubled.map(|(driver, stats)| format!("\n{driver}: {stats}\n")).collect()
}

type Row = Vec<String>;

fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(str::to_string).to_vec()
}

fn device_table(live: &Live) -> Vec<Row> {
    let mut rows = vec![row(["DEVICE", "HANDLER", "SIZE", "BLOCK", "MODE", "STATE", "LUNS", "BACKING"])];
    rows.extend(live.devices.iter().map(device_row));
    rows
}

fn device_row(device: &Device) -> Row {
    row([
        &device.name,
        device.handler.as_deref().unwrap_or("-"),
        &device.bytes.map_or("-".into(), size),
        &device.block_bytes.map_or("-".into(), |bytes| bytes.to_string()),
        mode(device.read_only),
        match device.state {
            DeviceState::Ready => "ready",
            DeviceState::Inactive => "inactive",
            DeviceState::Blocked => "blocked",
            DeviceState::Empty => "no medium",
        },
        &device.luns.to_string(),
        device.filename.as_deref().unwrap_or("-"),
    ])
}

/// Sessions with what they did so far, or with how fast they are.
fn session_table(live: &Live, rates: Option<&[Rate]>) -> Vec<Row> {
    let io = match rates {
        None => ["READS", "READ", "WRITES", "WRITTEN"],
        Some(_) => ["READS/S", "READ/S", "WRITES/S", "WRITTEN/S"],
    };
    let mut rows = vec![row(["TARGET", "SESSION", "GROUP", "HOST", "IN FLIGHT"])];
    rows[0].extend(row(io));
    for target in &live.targets {
        rows.extend(target.sessions.iter().map(|session| session_row(target, session, rates)));
        if target.sessions.is_empty() {
            rows.push(row([&target_name(target), "none", "-", "-", "-", "-", "-", "-", "-"]));
        }
    }
    rows
}

fn session_row(target: &Target, session: &Session, rates: Option<&[Rate]>) -> Row {
    let mut cells = row([
        &target_name(target),
        &session.name,
        session.group.as_deref().unwrap_or("-"),
        &session.host.map_or("-".into(), |host| format!("host{host}")),
        &session.active_commands.map_or("-".into(), |count| count.to_string()),
    ]);
    let rate = rates.map(|rates| rates.iter().find(|rate| rate.is_of(target, session)));
    cells.extend(match rate {
        None => {
            let io = &session.io;
            let kib = |kib: u64| size(kib.saturating_mul(1024));
            row([&io.reads.to_string(), &kib(io.read_kib), &io.writes.to_string(), &kib(io.written_kib)])
        }
        // It appeared since the last look.
        Some(None) => row(["-", "-", "-", "-"]),
        Some(Some(rate)) => row([
            &rate.reads.to_string(),
            &size(rate.read_bytes),
            &rate.writes.to_string(),
            &size(rate.written_bytes),
        ]),
    });
    cells
}

fn group_table(live: &Live) -> Vec<Row> {
    let mut rows = vec![row(["DEVICE GROUP", "TARGET GROUP", "STATE", "TARGETS", "DEVICES"])];
    rows.extend(live.target_groups.iter().map(|group| {
        let listed = |names: &[String]| if names.is_empty() { "-".to_string() } else { names.join(" ") };
        row([
            &group.device_group,
            &group.name,
            &group.state,
            &listed(&group.targets),
            &listed(&group.devices),
        ])
    }));
    rows
}

fn lun_table(live: &Live) -> Vec<Row> {
    let mut rows = vec![row(["TARGET", "GROUP", "LUN", "DEVICE", "MODE"])];
    for target in &live.targets {
        rows.extend(target.luns.iter().map(|lun| {
            let group = lun.group.as_deref().unwrap_or("-");
            row([&target_name(target), group, &lun.lun, &lun.device, mode(lun.read_only)])
        }));
    }
    rows
}

fn target_name(target: &Target) -> String {
    format!("{}/{}", target.driver, target.name)
}

fn mode(read_only: bool) -> &'static str {
    if read_only {
        "ro"
    } else {
        "rw"
    }
}

/// The largest unit that leaves at least one whole, with a decimal where it says something.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = UNITS.iter().find(|(_, shift)| bytes >> shift > 0) else {
        return format!("{bytes} B");
    };
    let tenths = (bytes >> (shift - 10)).saturating_mul(10) >> 10;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

fn load_text(report: &Report) -> String {
    let mut text = match report.state {
        State::Unusable => "Last load: the profile was not loaded.\n".to_string(),
        _ => format!("Last load: {} of {} objects.\n", report.up, report.objects),
    };
    for failure in &report.failures {
        text.push_str(&format!("{failure}\n"));
    }
    for sentence in report.skipped_sentences() {
        text.push_str(&format!("{sentence}\n"));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    for script in &report.failed_scripts {
        text.push_str(&format!("init script {} failed with status {}\n", script.name, script.status));
    }
    text.push_str(&report.profile_errors);
    text
}

/// Columns as wide as their widest cell, two blanks between them, none at the ends of lines.
fn aligned(rows: &[Row]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Failure;
    use crate::root::Root;
    use std::time::Duration;

    fn status(last_load: Option<Report>) -> Status {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        crate::live::tests::populate(&root);
        Status { live: Live::read(&root), rates: None, last_load }
    }

    #[test]
    fn the_tables_are_aligned_and_complete() {
        let expected = "\
SCST version: 3.11.0-pre
Devices by handler: vdisk_fileio 1, vdisk_nullio 1

DEVICE  HANDLER       SIZE   BLOCK  MODE  STATE     LUNS  BACKING
disk1   vdisk_fileio  1 GiB  512    rw    ready     3     /data/disk1.img
null10  vdisk_nullio  2 GiB  -      ro    inactive  1     -

TARGET                     SESSION          GROUP  HOST   IN FLIGHT  READS  READ      WRITES  WRITTEN
scst_local/scst_local_tgt  scst_local_host  -      host3  2          3000   11.7 MiB  5       20 KiB
scst_local/scst_local_tgt  second           blue   host4  -          0      0 B       0       0 B

TARGET                     GROUP  LUN  DEVICE  MODE
scst_local/scst_local_tgt  -      0    disk1   rw
scst_local/scst_local_tgt  -      9    disk1   rw
scst_local/scst_local_tgt  -      10   null10  ro
scst_local/scst_local_tgt  blue   0    disk1   ro

DEVICE GROUP  TARGET GROUP  STATE    TARGETS  DEVICES
dg            here          standby  tgt      disk1

scst_local: Aborts: 1, Device Resets: 0, Target Resets: 0

No profile was loaded since the box started: `appliance load` does it.
";
        assert_eq!(status(None).text(), expected);
        assert_eq!(status(None).exit_status(), 1);
    }

    #[test]
    fn failures_of_the_last_load_are_told_with_what_to_do() {
        let mut report = Report { objects: 3, up: 1, ..Report::new(State::Degraded) };
        report.failures.push(Failure {
            object: "device disk2".into(),
            path: "/sys/x/mgmt".into(),
            data: "add_device disk2".into(),
            errno: "EINVAL".into(),
            message: "the target stack refuses: Invalid argument".into(),
            advice: "`dmesg` says which".into(),
        });
        let status = status(Some(report));
        let text = status.text();
        let told = "Last load: 1 of 3 objects.\ndevice disk2: /sys/x/mgmt: `add_device disk2`: EINVAL: the target stack refuses: Invalid argument\n  help: `dmesg` says which\n";
        assert!(text.ends_with(told), "{text}");
        assert_eq!(status.exit_status(), 1);
        let json: serde_json::Value = serde_json::from_str(&status.json()).unwrap();
        assert_eq!(json["last_load"]["failures"][0]["errno"], "EINVAL");
        assert_eq!(json["live"]["devices"][0]["name"], "disk1");
    }

    #[test]
    fn rates_stand_where_totals_do() {
        let mut status = status(None);
        let before = Live { targets: Live::default().targets, ..Live::default() };
        status.rates = Some(crate::rates::between(&before, &status.live, Duration::from_secs(1)));
        let text = status.text();
        assert!(text.contains("READS/S") && text.contains("host3  2          -        -"), "{text}");
        let mut before = self::status(None).live;
        before.targets[0].sessions[0].io.reads = 1000;
        before.targets[0].sessions[0].io.read_kib = 11488;
        status.rates = Some(crate::rates::between(&before, &status.live, Duration::from_secs(2)));
        let text = status.text();
        assert!(text.contains("host3  2          1000     256 KiB  0         0 B"), "{text}");
    }

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (512, "512 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (10 << 30, "10 GiB"),
            (5 << 40, "5 TiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
