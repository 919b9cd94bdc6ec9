// SPDX-License-Identifier: GPL-2.0-only
//! READ CAPACITY, REPORT LUNS, REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS.

mod common;

use common::{answer, hex};
use proto::capacity::Capacity;
use proto::cdb::ReportOpcodes;
use proto::device_type::DeviceType;
use proto::lun::{decode, encode, report_luns, AddrMethod, MAX_LUN};
use proto::opcode::OpDesc;
use proto::opcodes_report::{supported_opcodes, supported_tm_functions, TmFunctions};
use proto::optable::TABLE;
use proto::sense::Sense;

const DISK: Capacity = Capacity {
    blocks: 131_072,
    block_size: 512,
    physical_exponent: 3,
    lowest_aligned: 0,
    lbpme: false,
    lbprz: false,
};

#[test]
fn capacity_is_as_captured() {
    assert_eq!(
        answer(8, |out| DISK.read_capacity_10(out)),
        hex("00 01 ff ff 00 00 02 00")
    );
    let sixteen = format!(
        "00 00 00 00 00 01 ff ff 00 00 02 00 00 03 00 00 {}",
        "00 ".repeat(16)
    );
    assert_eq!(answer(255, |out| DISK.read_capacity_16(out)), hex(&sixteen));
    assert_eq!(
        answer(8, |out| DISK.read_capacity_16(out)),
        hex("00 00 00 00 00 01 ff ff")
    );
}

#[test]
fn capacity_at_its_edges() {
    let ten =
        |blocks| answer(8, |out| Capacity { blocks, ..DISK }.read_capacity_10(out))[..4].to_vec();
    assert_eq!(ten(0), [0xFF; 4], "no block at all");
    assert_eq!(ten(1), [0; 4]);
    assert_eq!(ten(0xFFFF_FFFF), hex("ff ff ff fe"));
    assert_eq!(
        ten(0x1_0000_0000),
        [0xFF; 4],
        "the last address needs the 16-byte form"
    );
    assert_eq!(ten(0x1_0000_0001), [0xFF; 4]);
    let thin = Capacity {
        lbpme: true,
        lbprz: true,
        ..DISK
    };
    assert_eq!(answer(32, |out| thin.read_capacity_16(out))[14], 0xC0);
    let thin = Capacity {
        lbprz: false,
        ..thin
    };
    assert_eq!(answer(32, |out| thin.read_capacity_16(out))[14], 0x80);
}

#[test]
fn lun_fields() {
    let cases = [
        ("00 00 00 00 00 00 00 00", Some(0)),
        ("00 07 00 00 00 00 00 00", Some(7)),
        ("01 00 00 00 00 00 00 00", Some(256)),
        ("40 00 00 00 00 00 00 00", Some(0)),
        ("7f ff 00 00 00 00 00 00", Some(MAX_LUN)),
        ("80 05 00 00 00 00 00 00", Some(5)),
        ("c0 05 00 00 00 00 00 00", None),
        ("00 01 00 01 00 00 00 00", None),
        ("00 01 00 00 00 00 00 01", None),
    ];
    for (field, lun) in cases {
        let field: [u8; 8] = hex(field).try_into().expect("eight bytes");
        assert_eq!(decode(&field), lun, "{field:02x?}");
    }
    for method in [
        AddrMethod::Peripheral,
        AddrMethod::Flat,
        AddrMethod::LogicalUnit,
    ] {
        assert_eq!(encode(0, method), [0; 8]);
        for lun in 0..=MAX_LUN {
            assert_eq!(decode(&encode(lun, method)), Some(lun), "{method:?}");
        }
    }
    assert_eq!(encode(1, AddrMethod::Flat)[..2], hex("40 01"));
    assert_eq!(encode(256, AddrMethod::Peripheral)[..2], hex("01 00"));
    assert_eq!(encode(300, AddrMethod::LogicalUnit)[..2], hex("81 2c"));
}

#[test]
fn physical_blocks_may_begin_later() {
    let shifted = Capacity {
        lbpme: true,
        lowest_aligned: 0x1234,
        ..DISK
    };
    let data = answer(32, |out| shifted.read_capacity_16(out));
    assert_eq!(data[13..16], [3, 0x92, 0x34]);
}

#[test]
fn report_luns_is_as_captured() {
    let run = |select, alloc_len: u32| {
        let mut out = vec![0xEE; alloc_len as usize];
        let len = report_luns(select, alloc_len, 0..4, AddrMethod::Peripheral, &mut out)?;
        out.truncate(len);
        Ok(out)
    };
    let whole = hex("00 00 00 20 00 00 00 00 00 00 00 00 00 00 00 00
                     00 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00
                     00 03 00 00 00 00 00 00");
    assert_eq!(run(0, 256), Ok(whole.clone()));
    assert_eq!(run(2, 256), Ok(whole.clone()));
    assert_eq!(run(0, 16), Ok(whole[..16].to_vec()));
    assert_eq!(run(1, 256), Ok(vec![0; 8]), "no well known logical units");
    for select in [3, 0x10, 0x11, 0x12, 0xFF] {
        assert_eq!(
            run(select, 256),
            Err(Sense::invalid_field_in_cdb(2)),
            "select {select}"
        );
    }
    for alloc_len in [0, 8, 15] {
        assert_eq!(
            run(0, alloc_len),
            Err(Sense::invalid_field_in_cdb(6)),
            "length {alloc_len}"
        );
    }
    let none = answer(16, |out| {
        report_luns(0, 16, [].into_iter(), AddrMethod::Flat, out).expect("an empty list")
    });
    assert_eq!(none, [0; 8]);
}

const ASK: ReportOpcodes = ReportOpcodes {
    rctd: false,
    options: 0,
    opcode: 0,
    service_action: 0,
    alloc_len: 8192,
};

fn on_disk(op: &OpDesc) -> bool {
    op.types.contains(DeviceType::Disk)
}

fn opcodes(request: ReportOpcodes) -> Result<Vec<u8>, Sense> {
    let mut out = vec![0xEE; request.alloc_len as usize];
    let len = supported_opcodes(&request, on_disk, &mut out)?;
    out.truncate(len);
    Ok(out)
}

#[test]
fn all_commands_are_listed_with_and_without_timeouts() {
    let served = TABLE.iter().filter(|op| on_disk(op)).count();
    for (rctd, size) in [(false, 8), (true, 20)] {
        let data = opcodes(ReportOpcodes { rctd, ..ASK }).expect("all commands");
        assert_eq!(data.len(), 4 + served * size);
        assert_eq!(
            u32::from_be_bytes([data[0], data[1], data[2], data[3]]) as usize,
            served * size
        );
        for (entry, op) in data[4..]
            .chunks(size)
            .zip(TABLE.iter().filter(|op| on_disk(op)))
        {
            assert_eq!(entry[0], op.opcode);
            assert_eq!(
                u16::from_be_bytes([entry[2], entry[3]]),
                op.service_action.unwrap_or(0)
            );
            assert_eq!(
                entry[5] & 1 == 1,
                op.service_action.is_some(),
                "SERVACTV of {}",
                op.name
            );
            assert_eq!(entry[5] & 2 == 2, rctd, "CTDP of {}", op.name);
            assert_eq!(
                u16::from_be_bytes([entry[6], entry[7]]) as usize,
                op.cdb_len()
            );
        }
    }
    let sync = "35 00 00 00 00 02 00 0a 00 0a 00 00 00 00 00 01 00 00 00 3c";
    let data = opcodes(ReportOpcodes { rctd: true, ..ASK }).expect("all commands");
    assert!(
        data[4..].chunks(20).any(|entry| entry == hex(sync)),
        "SYNCHRONIZE CACHE as captured"
    );
}

#[test]
fn one_command() {
    let one = |options, opcode, service_action| {
        opcodes(ReportOpcodes {
            options,
            opcode,
            service_action,
            ..ASK
        })
    };
    assert_eq!(
        one(1, 0x28, 0),
        Ok(hex("00 03 00 0a 28 18 ff ff ff ff 1f ff ff 00"))
    );
    let timed = opcodes(ReportOpcodes {
        rctd: true,
        options: 1,
        opcode: 0x28,
        ..ASK
    });
    assert_eq!(
        timed,
        Ok(hex(
            "00 83 00 0a 28 18 ff ff ff ff 1f ff ff 00 00 0a 00 00 00 00 00 01 00 00 00 3c"
        ))
    );
    assert_eq!(
        one(2, 0x9E, 0x10),
        Ok(hex(
            "00 03 00 10 9e 10 ff ff ff ff ff ff ff ff ff ff ff ff 01 00"
        ))
    );
    let not_supported = Ok(hex("00 01 00 00"));
    assert_eq!(one(1, 0xC5, 0), not_supported);
    assert_eq!(one(1, 0x43, 0), not_supported, "a CD-ROM's command");
    assert_eq!(one(2, 0x9E, 0x1F), not_supported);
    assert_eq!(one(2, 0xC5, 0), not_supported);
    let wrong = Err(Sense::invalid_field_in_cdb_bit(2, 2));
    assert_eq!(one(1, 0x9E, 0), wrong, "the opcode has service actions");
    assert_eq!(one(2, 0x28, 0), wrong, "the opcode has none");
    for options in 3..8 {
        assert_eq!(one(options, 0x28, 0), wrong, "option {options}");
    }
}

#[test]
fn every_listed_command_can_be_asked_for_alone() {
    for op in TABLE.iter().filter(|op| on_disk(op)) {
        let (options, service_action) = match op.service_action {
            None => (1, 0),
            Some(action) => (2, action),
        };
        let request = ReportOpcodes {
            options,
            opcode: op.opcode,
            service_action,
            ..ASK
        };
        let data = opcodes(request).expect("a served command");
        assert_eq!(data[4..], *op.usage, "{}", op.name);
    }
}

#[test]
fn tm_functions() {
    let served = TmFunctions::ABORT_TASK.and(TmFunctions::LUN_RESET);
    assert_eq!(
        answer(16, |out| supported_tm_functions(served, false, out)
            .unwrap()),
        hex("88 00 00 00")
    );
    assert_eq!(
        supported_tm_functions(served, false, &mut [0; 3]),
        Err(Sense::invalid_field_in_cdb(6))
    );
    assert_eq!(
        answer(64, |out| supported_tm_functions(served, true, out).unwrap()),
        hex("88 00 00 0c 01 00 80 00 00 00 01 2c 00 00 00 96")
    );
}
