// SPDX-License-Identifier: GPL-2.0-only
//! CDBs to commands: one row per form, and each way to be refused.

mod common;

use common::hex;
use proto::cdb::{
    parse, parse_for, Command, FormatUnit, ModeSelect, ModeSense, PageControl, ReportOpcodes, Unit,
};
use proto::device_type::DeviceType;
use proto::opcode::{Direction, Flags, Length, Op, OpDesc, Types};
use proto::optable::{lookup, rows_of, with_service_action, TABLE};
use proto::sense::Sense;

use Direction::{In, Out};
use Unit::{Blocks, Bytes};

const BIG: u64 = 0x0102_0304_0506_0708;

#[test]
#[rustfmt::skip]
fn commands_with_their_arguments_and_transfers() {
    let none = (Direction::None, 0, Bytes);
    let read = |lba, blocks, fua, dpo| Command::Read { lba, blocks, fua, dpo };
    let write = |lba, blocks, fua, dpo| Command::Write { lba, blocks, fua, dpo };
    let cases = [
        ("00 00 00 00 00 00", Op::TestUnitReady, none, Command::TestUnitReady),
        ("03 01 00 00 12 00", Op::RequestSense, (In, 18, Bytes), Command::RequestSense { desc: true, alloc_len: 18 }),
        ("04 f9 00 00 00 00", Op::FormatUnit, (Out, 8, Bytes), Command::FormatUnit(FormatUnit { pinfo: 3, long_list: true, data: true, complete_list: true, list_format: 1 })),
        ("04 10 00 00 00 00", Op::FormatUnit, (Out, 4, Bytes), Command::FormatUnit(FormatUnit { pinfo: 0, long_list: false, data: true, complete_list: false, list_format: 0 })),
        ("04 20 00 00 00 00", Op::FormatUnit, none, Command::FormatUnit(FormatUnit { pinfo: 0, long_list: true, data: false, complete_list: false, list_format: 0 })),
        ("08 1f ff fe 01 00", Op::Read6, (In, 1, Blocks), read(0x1F_FFFE, 1, false, false)),
        ("08 00 00 00 00 00", Op::Read6, (In, 256, Blocks), read(0, 256, false, false)),
        ("0a 18 00 01 00 00", Op::Write6, (Out, 256, Blocks), write(0x18_0001, 256, false, false)),
        ("12 01 83 01 02 00", Op::Inquiry, (In, 0x102, Bytes), Command::Inquiry { evpd: true, page: 0x83, alloc_len: 0x102 }),
        ("15 11 00 00 18 00", Op::ModeSelect6, (Out, 24, Bytes), Command::ModeSelect(ModeSelect { ten: false, pf: true, sp: true, list_len: 24 })),
        ("16 00 00 00 00 00", Op::Reserve6, none, Command::Reserve),
        ("17 00 00 00 00 00", Op::Release6, none, Command::Release),
        ("1a 08 8a 00 ff 00", Op::ModeSense6, (In, 255, Bytes), Command::ModeSense(ModeSense { ten: false, dbd: true, control: PageControl::Default, page: 0x0A, subpage: 0, alloc_len: 255 })),
        ("1b 01 00 00 f6 00", Op::StartStopUnit, none, Command::StartStopUnit { immed: true, power: 15, no_flush: true, loej: true, start: false }),
        ("1d 14 00 01 00 00", Op::SendDiagnostic, (Out, 256, Bytes), Command::SendDiagnostic { self_test_code: 0, pf: true, self_test: true, list_len: 256 }),
        ("1e 00 00 00 01 00", Op::PreventAllow, none, Command::PreventAllow { prevent: 1 }),
        ("25 00 00 00 00 00 00 00 00 00", Op::ReadCapacity10, (In, 8, Bytes), Command::ReadCapacity10),
        ("25 00 00 00 00 01 00 00 01 00", Op::ReadCapacity10, (In, 8, Bytes), Command::ReadCapacity10),
        ("28 00 ff ff ff ff 00 ff ff 00", Op::Read10, (In, 0xFFFF, Blocks), read(0xFFFF_FFFF, 0xFFFF, false, false)),
        ("28 18 00 00 00 00 1f 00 01 00", Op::Read10, (In, 1, Blocks), read(0, 1, true, true)),
        ("28 00 00 02 00 00 00 00 00 00", Op::Read10, (Direction::None, 0, Blocks), read(0x2_0000, 0, false, false)),
        ("2a 08 01 02 03 04 00 05 06 00", Op::Write10, (Out, 0x506, Blocks), write(0x0102_0304, 0x506, true, false)),
        ("2e 12 00 00 00 1e 00 00 01 00", Op::WriteAndVerify10, (Out, 1, Blocks), Command::WriteAndVerify { lba: 30, blocks: 1, compare: true }),
        ("2f 00 00 00 00 0a 00 00 01 00", Op::Verify10, (Direction::None, 0, Blocks), Command::Verify { lba: 10, blocks: 1, compare: false }),
        ("2f 02 00 00 00 0a 00 00 01 00", Op::Verify10, (Out, 1, Blocks), Command::Verify { lba: 10, blocks: 1, compare: true }),
        ("35 02 00 00 00 07 00 00 09 00", Op::SynchronizeCache10, none, Command::SynchronizeCache { lba: 7, blocks: 9, immed: true }),
        ("41 08 00 00 00 2c 00 00 04 00", Op::WriteSame10, (Out, 1, Blocks), Command::WriteSame { lba: 44, blocks: 4, unmap: true, ndob: false }),
        ("42 00 00 00 00 00 00 00 18 00", Op::Unmap, (Out, 24, Bytes), Command::Unmap { list_len: 24 }),
        ("43 02 01 00 00 00 aa 01 00 00", Op::ReadToc, (In, 256, Bytes), Command::ReadToc { msf: true, format: 1, track: 0xAA, alloc_len: 256 }),
        ("46 02 01 07 00 00 00 00 08 00", Op::GetConfiguration, (In, 8, Bytes), Command::GetConfiguration { request: 2, feature: 0x107, alloc_len: 8 }),
        ("4a 01 00 00 10 00 00 00 08 00", Op::GetEventStatus, (In, 8, Bytes), Command::GetEventStatus { polled: true, classes: 0x10, alloc_len: 8 }),
        ("4c 03 c1 02 00 00 00 00 00 00", Op::LogSelect, none, Command::LogSelect { reset: true, save: true, control: 3, page: 1, subpage: 2, list_len: 0 }),
        ("4d 00 4f 01 00 12 34 01 00 00", Op::LogSense, (In, 256, Bytes), Command::LogSense { save: false, control: 1, page: 0x0F, subpage: 1, pointer: 0x1234, alloc_len: 256 }),
        ("52 01 00 00 00 01 00 00 24 00", Op::ReadTrackInformation, (In, 36, Bytes), Command::ReadTrackInformation { kind: 1, address: 1, alloc_len: 36 }),
        ("51 02 00 00 00 00 00 00 22 00", Op::ReadDiscInformation, (In, 34, Bytes), Command::ReadDiscInformation { data_type: 2, alloc_len: 34 }),
        ("55 10 00 00 00 00 00 01 00 00", Op::ModeSelect10, (Out, 256, Bytes), Command::ModeSelect(ModeSelect { ten: true, pf: true, sp: false, list_len: 256 })),
        ("56 00 00 00 00 00 00 00 00 00", Op::Reserve10, none, Command::Reserve),
        ("57 00 00 00 00 00 00 00 00 00", Op::Release10, none, Command::Release),
        ("5a 10 ff 01 00 00 00 02 00 00", Op::ModeSense10, (In, 512, Bytes), Command::ModeSense(ModeSense { ten: true, dbd: false, control: PageControl::Saved, page: 0x3F, subpage: 1, alloc_len: 512 })),
        ("5e 03 00 00 00 00 00 01 00 00", Op::PrReadFullStatus, (In, 256, Bytes), Command::PersistentReserveIn { action: 3, alloc_len: 256 }),
        ("5f 07 15 00 00 01 00 00 18 00", Op::PrRegisterAndMove, (Out, 0x0100_0018, Bytes), Command::PersistentReserveOut { action: 7, scope: 1, kind: 5, list_len: 0x0100_0018 }),
        ("88 10 01 02 03 04 05 06 07 08 01 00 00 02 00 00", Op::Read16, (In, 0x0100_0002, Blocks), read(BIG, 0x0100_0002, false, true)),
        ("89 08 01 02 03 04 05 06 07 08 00 00 00 ff 00 00", Op::CompareAndWrite, (Out, 510, Blocks), Command::CompareAndWrite { lba: BIG, blocks: 255, fua: true, dpo: false }),
        ("8a 08 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", Op::Write16, (Out, u32::MAX, Blocks), write(u64::MAX, u32::MAX, true, false)),
        ("8e 10 00 00 00 00 00 00 00 01 00 00 00 02 00 00", Op::WriteAndVerify16, (Out, 2, Blocks), Command::WriteAndVerify { lba: 1, blocks: 2, compare: false }),
        ("8f 02 01 02 03 04 05 06 07 08 00 00 00 02 00 00", Op::Verify16, (Out, 2, Blocks), Command::Verify { lba: BIG, blocks: 2, compare: true }),
        ("91 00 01 02 03 04 05 06 07 08 00 00 00 03 00 00", Op::SynchronizeCache16, none, Command::SynchronizeCache { lba: BIG, blocks: 3, immed: false }),
        ("93 09 00 00 00 00 00 00 00 2c 00 00 00 04 00 00", Op::WriteSame16, (Direction::None, 0, Blocks), Command::WriteSame { lba: 44, blocks: 4, unmap: true, ndob: true }),
        ("9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00", Op::ReadCapacity16, (In, 32, Bytes), Command::ReadCapacity16 { alloc_len: 32 }),
        ("9e 12 01 02 03 04 05 06 07 08 00 00 04 00 00 00", Op::GetLbaStatus, (In, 1024, Bytes), Command::GetLbaStatus { lba: BIG, alloc_len: 1024 }),
        ("a0 00 02 00 00 00 00 00 01 00 00 00", Op::ReportLuns, (In, 256, Bytes), Command::ReportLuns { select: 2, alloc_len: 256 }),
        ("a3 2a 00 00 00 00 00 00 00 40 00 00", Op::ReportTargetPortGroups, (In, 64, Bytes), Command::ReportTargetPortGroups { format: 1, alloc_len: 64 }),
        ("a3 0c 82 9e 00 10 00 00 00 40 00 00", Op::ReportSupportedOpcodes, (In, 64, Bytes), Command::ReportOpcodes(ReportOpcodes { rctd: true, options: 2, opcode: 0x9E, service_action: 0x10, alloc_len: 64 })),
        ("a3 0d 80 00 00 00 00 00 00 10 00 00", Op::ReportSupportedTmFunctions, (In, 16, Bytes), Command::ReportTmFunctions { repd: true, alloc_len: 16 }),
        ("a4 0a 00 00 00 00 00 00 00 08 00 00", Op::SetTargetPortGroups, (Out, 8, Bytes), Command::SetTargetPortGroups { list_len: 8 }),
        ("a8 08 01 02 03 04 05 06 07 08 00 00", Op::Read12, (In, 0x0506_0708, Blocks), read(0x0102_0304, 0x0506_0708, true, false)),
        ("aa 00 01 02 03 04 00 00 00 01 00 00", Op::Write12, (Out, 1, Blocks), write(0x0102_0304, 1, false, false)),
        ("ae 02 00 00 00 01 00 00 00 01 00 00", Op::WriteAndVerify12, (Out, 1, Blocks), Command::WriteAndVerify { lba: 1, blocks: 1, compare: true }),
        ("af 00 00 00 00 01 00 00 00 01 00 00", Op::Verify12, (Direction::None, 0, Blocks), Command::Verify { lba: 1, blocks: 1, compare: false }),
    ];
    for (cdb, op, transfer, command) in cases {
        let decoded = parse(&hex(cdb)).unwrap_or_else(|sense| panic!("{cdb}: {sense:?}"));
        assert_eq!(decoded.op.op, op, "{cdb}");
        assert_eq!(decoded.command, command, "{cdb}");
        let found = (decoded.transfer.direction, decoded.transfer.count, decoded.transfer.unit);
        assert_eq!(found, transfer, "{cdb}");
    }
}

#[test]
fn what_is_refused_and_where_it_points() {
    let cases = [
        ("", Sense::INVALID_OPCODE, "no byte at all"),
        ("c5 00 00 00 00 00", Sense::INVALID_OPCODE, "vendor opcode"),
        (
            "7f 00 00 00 00 00 00 18 00 0d",
            Sense::INVALID_OPCODE,
            "variable length",
        ),
        (
            "9e 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
            Sense::invalid_field_in_cdb_bit(1, 4),
            "service action",
        ),
        (
            "5f 08 00 00 00 00 00 00 00 00",
            Sense::invalid_field_in_cdb_bit(1, 4),
            "service action",
        ),
        (
            "28 00 00 00 00 00 00 00 01",
            Sense::invalid_field_in_cdb(9),
            "a byte missing",
        ),
        (
            "88",
            Sense::invalid_field_in_cdb(1),
            "all but the opcode missing",
        ),
        (
            "28 20 00 00 00 00 00 00 01 00",
            Sense::invalid_field_in_cdb_bit(1, 7),
            "RDPROTECT",
        ),
        (
            "2a e0 00 00 00 00 00 00 01 00",
            Sense::invalid_field_in_cdb_bit(1, 7),
            "WRPROTECT",
        ),
        (
            "28 00 00 00 00 00 00 00 01 04",
            Sense::invalid_field_in_cdb_bit(9, 2),
            "NACA",
        ),
        (
            "28 00 00 00 00 00 00 00 01 01",
            Sense::invalid_field_in_cdb_bit(9, 0),
            "LINK",
        ),
        (
            "00 00 00 00 00 04",
            Sense::invalid_field_in_cdb_bit(5, 2),
            "NACA",
        ),
        (
            "88 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01",
            Sense::invalid_field_in_cdb_bit(15, 0),
            "LINK",
        ),
        (
            "12 02 00 00 ff 00",
            Sense::invalid_field_in_cdb_bit(1, 1),
            "CMDDT",
        ),
        (
            "12 00 80 00 ff 00",
            Sense::invalid_field_in_cdb(2),
            "page without EVPD",
        ),
        (
            "25 00 00 00 00 01 00 00 00 00",
            Sense::invalid_field_in_cdb(2),
            "LBA without PMI",
        ),
        (
            "9e 10 00 00 00 00 00 00 00 05 00 00 00 20 00 00",
            Sense::invalid_field_in_cdb(2),
            "LBA without PMI, low half",
        ),
        (
            "2f 04 00 00 00 0a 00 00 01 00",
            Sense::invalid_field_in_cdb_bit(1, 2),
            "BYTCHK 2",
        ),
        (
            "2f 06 00 00 00 0a 00 00 01 00",
            Sense::invalid_field_in_cdb_bit(1, 2),
            "BYTCHK 3",
        ),
        (
            "93 10 00 00 00 00 00 00 00 2c 00 00 00 04 00 00",
            Sense::invalid_field_in_cdb_bit(1, 4),
            "ANCHOR",
        ),
        (
            "41 02 00 00 00 2c 00 00 04 00",
            Sense::invalid_field_in_cdb_bit(1, 1),
            "LBDATA",
        ),
        (
            "42 01 00 00 00 00 00 00 18 00",
            Sense::invalid_field_in_cdb_bit(1, 0),
            "ANCHOR",
        ),
        (
            "16 10 00 00 00 00",
            Sense::invalid_field_in_cdb_bit(1, 4),
            "third-party reservation",
        ),
        (
            "08 80 00 00 01 00",
            Sense::invalid_field_in_cdb_bit(1, 7),
            "LUN of SCSI-2",
        ),
    ];
    for (cdb, sense, what) in cases {
        match parse(&hex(cdb)) {
            Err(found) => assert_eq!(found, sense, "{what}: {cdb}"),
            Ok(decoded) => panic!("{what}: {cdb} parsed as {:?}", decoded.command),
        }
    }
}

#[test]
fn bytes_behind_the_command_are_not_looked_at() {
    let mut cdb = hex("28 00 00 00 00 07 00 00 01 00");
    cdb.resize(32, 0xFF);
    let decoded = parse(&cdb).expect("READ(10) in a 32-byte field");
    assert_eq!(
        decoded.command,
        Command::Read {
            lba: 7,
            blocks: 1,
            fua: false,
            dpo: false
        }
    );
}

#[test]
fn other_types_commands_are_refused_before_their_fields() {
    let refused = |device_type, cdb: &str| parse_for(device_type, &hex(cdb)).err();
    let write = "2a 20 00 00 00 00 00 00 01 00";
    assert_eq!(
        refused(DeviceType::CdRom, write),
        Some(Sense::INVALID_OPCODE)
    );
    assert_eq!(
        refused(DeviceType::Disk, write),
        Some(Sense::invalid_field_in_cdb_bit(1, 7))
    );
    let toc = "43 02 00 00 00 00 00 00 ff 00";
    assert_eq!(refused(DeviceType::Disk, toc), Some(Sense::INVALID_OPCODE));
    assert_eq!(refused(DeviceType::CdRom, toc), None);
    let capacity = "9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00";
    assert_eq!(
        refused(DeviceType::CdRom, capacity),
        Some(Sense::INVALID_OPCODE)
    );
    let read_keys = "5e 00 00 00 00 00 00 00 ff 00";
    assert_eq!(
        refused(DeviceType::CdRom, read_keys),
        Some(Sense::INVALID_OPCODE)
    );
    assert_eq!(refused(DeviceType::Disk, read_keys), None);
    assert_eq!(
        refused(DeviceType::Tape, "00 00 00 00 00 00"),
        Some(Sense::INVALID_OPCODE)
    );
}

#[test]
fn transfers_in_bytes() {
    let bytes = |cdb: &str, shift| parse(&hex(cdb)).map(|decoded| decoded.transfer.bytes(shift));
    assert_eq!(bytes("28 00 00 00 00 00 00 00 02 00", 9), Ok(1024));
    assert_eq!(bytes("28 00 00 00 00 00 00 00 02 00", 12), Ok(8192));
    assert_eq!(bytes("12 00 00 00 24 00", 12), Ok(36));
    assert_eq!(
        bytes("8a 00 00 00 00 00 00 00 00 00 ff ff ff ff 00 00", 12),
        Ok(0xFFFF_FFFF << 12)
    );
    assert_eq!(
        bytes("89 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00", 9),
        Ok(2048)
    );
    assert_eq!(
        bytes("28 00 00 00 00 00 00 00 02 00", 64),
        Ok(u64::MAX),
        "a shift that no device has"
    );
}

/// What must hold for every row, so that a wrong row cannot be added.
#[test]
fn the_table_agrees_with_itself() {
    for row in TABLE {
        let name = row.name;
        assert!(matches!(row.cdb_len(), 6 | 10 | 12 | 16), "{name}");
        assert_eq!(row.usage.first(), Some(&row.opcode), "{name}");
        // The group code, the opcode's top three bits, tells the length (SPC-4 4.2.2).
        let expected = match row.opcode >> 5 {
            0 => 6,
            1 | 2 => 10,
            4 => 16,
            _ => 12,
        };
        assert_eq!(row.cdb_len(), expected, "{name}");
        // Of the control byte only the bits that are the vendor's may mean something.
        let control = row.usage.last().copied();
        let old_format = row.op == Op::ReadToc && control == Some(0xC0);
        assert!(control == Some(0) || old_format, "{name}: control");
        assert_eq!(
            row.direction == Direction::None,
            row.length == Length::Zero,
            "{name}"
        );
        check_length_field(row);
        let found = match row.service_action {
            None => lookup(row.opcode, 0xFF),
            Some(action) => with_service_action(row.opcode, action),
        };
        assert!(
            found.is_some_and(|found| std::ptr::eq(found, row)),
            "{name} is found by its code"
        );
        assert!(
            !row.is_write() || row.types == Types::DISK,
            "{name}: a CD-ROM is not written"
        );
        assert!(!row.is_write() || row.direction == Out, "{name}");
    }
}

/// The bits of each CDB that are looked at or accepted, read off the layouts of SPC-4, SBC-3 and
/// MMC-6; `ff*4` is four bytes of ff.
const USAGE: &str = "
00 00*5 | 03 01 00 00 ff 00 | 04 ff 00*4 | 08 1f ff ff ff 00 | 0a 1f ff ff ff 00 | 12 01 ff ff ff 00
15 11 00 00 ff 00 | 16 00 ff 00*3 | 17 00 ff 00*3 | 1a 08 ff ff ff 00 | 1b 01 00 00 f7 00
1d f7 00 ff ff 00 | 1e 00 00 00 03 00
25 00 ff*4 00 00 01 00 | 28 18 ff*4 1f ff ff 00 | 2a 18 ff*4 1f ff ff 00 | 2e 12 ff*4 1f ff ff 00
2f 12 ff*4 1f ff ff 00 | 35 06 ff*4 1f ff ff 00 | 41 08 ff*4 1f ff ff 00 | 42 00*5 1f ff ff 00
43 02 0f 00*3 ff ff ff c0 | 46 03 ff ff 00*3 ff ff 00 | 4a 01 00 00 ff 00 00 ff ff 00
4c 03 ff ff 00*3 ff ff 00 | 4d 01 ff ff 00 ff*4 00 | 51 07 00*5 ff ff 00 | 52 03 ff*4 00 ff ff 00 | 55 11 00*5 ff ff 00
56 00 ff 00*7 | 57 00 ff 00*7 | 5a 18 ff ff 00*3 ff ff 00
5e 00 00*5 ff ff 00 | 5e 01 00*5 ff ff 00 | 5e 02 00*5 ff ff 00 | 5e 03 00*5 ff ff 00
5f 00 ff 00 00 ff*4 00 | 5f 01 ff 00 00 ff*4 00 | 5f 02 ff 00 00 ff*4 00 | 5f 03 ff 00 00 ff*4 00
5f 04 ff 00 00 ff*4 00 | 5f 05 ff 00 00 ff*4 00 | 5f 06 ff 00 00 ff*4 00 | 5f 07 ff 00 00 ff*4 00
88 18 ff*12 1f 00 | 89 18 ff*8 00*3 ff 1f 00 | 8a 18 ff*12 1f 00 | 8e 12 ff*12 1f 00
8f 12 ff*12 1f 00 | 91 06 ff*12 1f 00 | 93 09 ff*12 1f 00
9e 10 ff*12 01 00 | 9e 12 ff*12 00 00 | a0 00 ff 00*3 ff*4 00 00
a3 ea 00*4 ff*4 00 00 | a3 0c 87 ff*7 00 00 | a3 0d 80 00*3 ff*4 00 00 | a4 0a 00*4 ff*4 00 00
a8 18 ff*8 1f 00 | aa 18 ff*8 1f 00 | ae 12 ff*8 1f 00 | af 12 ff*8 1f 00
";

#[test]
fn accepted_bits_are_those_of_the_layouts() {
    let mut layouts = Vec::new();
    for layout in USAGE
        .split(['|', '\n'])
        .filter(|layout| !layout.trim().is_empty())
    {
        let mut bytes = Vec::new();
        for word in layout.split_whitespace() {
            let (byte, count) = word.split_once('*').unwrap_or((word, "1"));
            bytes.extend(hex(byte).repeat(count.parse().expect("a count")));
        }
        layouts.push(bytes);
    }
    for (row, layout) in TABLE.iter().zip(&layouts) {
        assert_eq!(row.usage, layout, "{}", row.name);
    }
    assert_eq!(TABLE.len(), layouts.len());
}

/// The bits of a length field, and nothing of another one, are evaluated.
fn check_length_field(row: &OpDesc) {
    let (Length::Bytes { at, width }
    | Length::Blocks { at, width }
    | Length::BlocksIfBytchk { at, width }
    | Length::OneBlock { at, width }) = row.length
    else {
        return;
    };
    let field = &row.usage[at as usize..(at + width) as usize];
    assert!(
        field.iter().all(|&bits| bits == 0xFF),
        "{}: {field:02x?}",
        row.name
    );
}

#[test]
fn rows_of_one_opcode_stand_together_and_each_is_listed_once() {
    let mut counted = 0;
    for opcode in 0..=u8::MAX {
        let rows = rows_of(opcode);
        counted += rows.len();
        assert!(rows.iter().all(|row| row.opcode == opcode), "{opcode:02x}");
        assert_eq!(
            rows.len(),
            TABLE.iter().filter(|row| row.opcode == opcode).count(),
            "{opcode:02x}"
        );
        if rows.len() > 1 {
            assert!(
                rows.iter().all(|row| row.service_action.is_some()),
                "{opcode:02x}"
            );
        }
    }
    assert_eq!(counted, TABLE.len());
    let mut ops: Vec<_> = TABLE.iter().map(|row| format!("{:?}", row.op)).collect();
    ops.sort();
    ops.dedup();
    assert_eq!(ops.len(), TABLE.len());
}

#[test]
fn only_these_pass_a_pending_unit_attention_on_a_disk() {
    let passing: Vec<_> = TABLE
        .iter()
        .filter(|row| row.passes_ua() && row.types.contains(DeviceType::Disk))
        .map(|row| row.op)
        .collect();
    assert_eq!(passing, [Op::RequestSense, Op::Inquiry, Op::ReportLuns]);
    assert!(Flags::WRITE.and(Flags::MEDIUM).has(Flags::MEDIUM));
    assert!(!Flags::WRITE.has(Flags::MEDIUM));
}
