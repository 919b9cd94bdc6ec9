// SPDX-License-Identifier: GPL-2.0-only
//! A CDB is parsed or refused, and both as its description says. The first byte chooses the device type.

use proto::cdb::{parse, parse_for, Command};
use proto::device_type::DeviceType;
use proto::format;
use proto::opcode::Direction;
use proto::optable::rows_of;
use proto::pr::Kind;
use proto::pr_access::{Access, Standing};
use proto::sense::{FieldIn, Sense, SenseKey, Specific};

pub fn any(data: &[u8]) {
    let Some((&choice, cdb)) = data.split_first() else {
        return;
    };
    let known = cdb.first().is_some_and(|op| !rows_of(*op).is_empty());
    match parse(cdb) {
        Ok(decoded) => {
            assert!(known && cdb.len() >= decoded.op.cdb_len());
            let transfer = decoded.transfer;
            assert_eq!(transfer.direction == Direction::None, transfer.count == 0);
            assert!(transfer.bytes(12) <= u64::from(transfer.count) << 12);
            reserved_bits_are_zero(cdb, decoded.op.usage, decoded.op.service_action.is_some());
            gates(decoded.op.op, &decoded.command);
            // What follows the CDB stands for a parameter list.
            format_unit(
                &decoded.command,
                cdb.get(decoded.op.cdb_len()..).unwrap_or(&[]),
            );
        }
        Err(sense) => is_about_the_cdb(sense, cdb, known),
    }
    let device_type = DeviceType::from_code(choice & 0x1F).unwrap_or(DeviceType::Disk);
    match parse_for(device_type, cdb) {
        Ok(decoded) => assert!(decoded.op.types.contains(device_type)),
        Err(sense) => is_about_the_cdb(sense, cdb, known && sense != Sense::INVALID_OPCODE),
    }
}

fn reserved_bits_are_zero(cdb: &[u8], usage: &[u8], has_action: bool) {
    for (at, (byte, usage)) in cdb.iter().zip(usage).enumerate().skip(1) {
        let action = if at == 1 && has_action { 0x1F } else { 0 };
        assert_eq!(byte & !(usage | action), 0, "byte {at}");
    }
}

/// A format is taken as its list says, or the initiator is told what is wrong with it.
fn format_unit(command: &Command, list: &[u8]) {
    let Command::FormatUnit(request) = command else {
        return;
    };
    match format::immed(request, list) {
        Ok(immed) => assert!(request.pinfo == 0 && (request.data || !immed)),
        Err(sense) => assert_eq!(sense.key, SenseKey::IllegalRequest),
    }
}

/// Who may do everything may do this, too.
fn gates(op: proto::opcode::Op, command: &Command) {
    let access = Access::of(op);
    for kind in (0..16).filter_map(Kind::from_code) {
        for standing in [Standing::Holder, Standing::Registrant, Standing::Stranger] {
            let passes = access.passes_persistent(command, kind, standing);
            assert!(
                passes
                    || !kind.grants_all(standing)
                    || access.passes_persistent(command, kind, Standing::Holder)
            );
        }
    }
    let _ = (
        access.passes_reserve(command, true),
        access.passes_reserve(command, false),
    );
}

fn is_about_the_cdb(sense: Sense, cdb: &[u8], known: bool) {
    assert_eq!(sense.key, SenseKey::IllegalRequest);
    assert_eq!(sense == Sense::INVALID_OPCODE, !known);
    if let Specific::Field { place, byte, .. } = sense.specific {
        assert_eq!(place, FieldIn::Cdb);
        assert!(usize::from(byte) <= cdb.len());
    }
}
