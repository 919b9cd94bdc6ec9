// SPDX-License-Identifier: GPL-2.0-only
//! The crate as the kernel compiles it, with its generic functions made concrete: compiled by
//! `tests/no_panic.rs`, which then looks for calls into the panic machinery.
#![no_std]
#![deny(unsafe_code)]

#[path = "../../mod.rs"]
pub mod proto;

use proto::cdb::{Decoded, ReportOpcodes};
use proto::device_type::DeviceType;
use proto::lun::AddrMethod;
use proto::sense::Sense;
use proto::text::Text;

/// Both entries of the CDB parser, and the length that follows.
pub fn cdb(cdb: &[u8]) -> Result<(Decoded, u64), Sense> {
    proto::cdb::parse_for(DeviceType::Disk, cdb)?;
    let decoded = proto::cdb::parse(cdb)?;
    Ok((decoded, decoded.transfer.bytes(9)))
}

/// FORMAT UNIT's list.
pub fn format(request: &proto::command::FormatUnit, list: &[u8]) -> Result<bool, Sense> {
    proto::format::immed(request, list)
}

/// A range of blocks.
pub fn range(lba: u64, blocks: u32, shift: u32, capacity: u64) -> Option<u64> {
    proto::range::byte_range(lba, blocks, shift, capacity)
        .ok()
        .map(|range| range.len)
}

/// The opcode report, for some commands.
pub fn opcodes(request: &ReportOpcodes, out: &mut [u8]) -> Result<usize, Sense> {
    proto::opcodes_report::supported_opcodes(request, |op| op.opcode & 1 == 0, out)
}

/// REPORT LUNS of a list.
pub fn luns(luns: &[u16], out: &mut [u8]) -> Result<usize, Sense> {
    proto::lun::report_luns(0, 255, luns.iter().copied(), AddrMethod::Flat, out)
}

/// Inline text.
pub fn text(piece: &str) -> (usize, bool) {
    let mut text = Text::<64>::new();
    let fits = text.push_str(piece).is_ok();
    (text.as_str().len(), text.push_truncated(piece) == fits)
}

/// The management lexer.
pub fn words(text: &str) -> usize {
    let mut numbers: usize = 0;
    for segment in proto::mgmt::segments(text) {
        for word in proto::mgmt::words(segment) {
            numbers = numbers.saturating_add(usize::from(proto::mgmt::number(word).is_ok()));
        }
    }
    numbers
}

/// PERSISTENT RESERVE OUT, with whatever TransportIDs, and what is kept and shown of it.
pub fn reservations(
    list: &[u8],
    slots: &mut [proto::pr::Registrant],
    out: &mut [u8],
) -> Option<usize> {
    use proto::pr::{Head, Nexus, State};
    let session = proto::pr_id::TransportId::of_session(list).ok()?;
    let action = proto::pr_list::Action::from_code(list.first().copied()?)?;
    let request = proto::pr_list::parse(action, 0, 1, list).ok()?;
    let room = proto::pr::may_add(&request, 3);
    let head = Head {
        used: list.len(),
        ..Head::default()
    };
    let mut state = State { head, slots };
    let effect = proto::pr::out(
        &mut state,
        &request,
        Nexus {
            id: &session,
            port: 1,
        },
        &[1, 2],
    )
    .ok()?;
    let view = state.view();
    let len = [
        proto::pr_in::keys(view, out),
        proto::pr_in::reservation(view, out),
        proto::pr_in::capabilities(view, true, out),
        proto::pr_in::full_status(view, out),
        proto::pr_file::write(view, out),
    ];
    Some(len.iter().fold(room, |sum, len| sum.saturating_add(*len)) ^ usize::from(effect.changed))
}

/// Reservations from a file, or from text.
pub fn kept(file: &[u8], text: &str, slots: &mut [proto::pr::Registrant]) -> Option<usize> {
    let many = proto::pr_file::registrants(file)
        .ok()?
        .max(proto::pr_text::registrants(text));
    let from_file = proto::pr_file::read(file, slots).ok()?;
    let from_text = proto::pr_text::parse(text, slots).ok()?;
    let mut printed = Text::<256>::new();
    proto::pr_text::print(proto::pr::View::new(from_text, slots), &mut printed).ok()?;
    Some(many.saturating_add(from_file.used))
}

/// REPORT TARGET PORT GROUPS of some groups, and a list that changes them.
pub fn port_groups(list: &[u8], ports: &[u16], out: &mut [u8]) -> Result<usize, Sense> {
    use proto::port_groups::{changes, check_length, Cause, Group, Report};
    check_length(u32::try_from(list.len()).unwrap_or(u32::MAX))?;
    let mut report = Report::new(list.first().copied().unwrap_or(0), out)?;
    for change in changes(list) {
        let change = change?;
        let group = Group {
            id: change.group,
            preferred: true,
            state: change.state,
            cause: Cause::Explicit,
        };
        report.group(group, ports.iter().copied());
    }
    Ok(report.finish())
}
