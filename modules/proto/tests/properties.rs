// SPDX-License-Identifier: GPL-2.0-only
//! What holds for any bytes at all: no panic, answers cut at a prefix, and reading back what was
//! written.

mod common;
#[allow(dead_code, unreachable_pub)] // The fuzzer's; this file uses one function of it.
#[path = "../fuzz/src/input.rs"]
mod input;

use common::{cd1, disk1, mode_cdrom, mode_disk, thick};
use proptest::collection::vec;
use proptest::prelude::*;
use proto::capacity::Capacity;
use proto::cdb::{parse, parse_for, ModeSelect, ModeSense, PageControl, ReportOpcodes};
use proto::device_type::DeviceType;
use proto::inquiry::{no_such_lun, standard, vpd, Identity, Pages};
use proto::lun::{decode, encode, report_luns, AddrMethod, MAX_LUN};
use proto::mgmt::{number, segments, signed, words};
use proto::mode::{select, sense, ModeDevice, ModeState};
use proto::opcode::Direction;
use proto::opcodes_report::supported_opcodes;
use proto::optable::{rows_of, TABLE};
use proto::range::byte_range;
use proto::sense::{FieldIn, Sense, SenseKey, Specific};
use proto::text::Text;

/// `answer` written into `room` bytes is the beginning of `answer` written into plenty.
fn cut_is_a_prefix(room: usize, answer: impl Fn(&mut [u8]) -> Result<usize, Sense>) {
    input::cut_is_a_prefix(room, answer);
}

/// CDBs: half of them begin with an opcode of the table and have few stray bits, so that the
/// parsers behind the first checks are reached.
fn any_cdb() -> impl Strategy<Value = Vec<u8>> {
    let known = (0..TABLE.len(), vec(any::<u8>(), 16), vec(any::<u8>(), 0..4)).prop_map(
        |(row, noise, tail)| {
            let usage = TABLE[row].usage;
            let mut cdb: Vec<u8> = usage
                .iter()
                .zip(noise)
                .map(|(usage, noise)| usage & noise)
                .collect();
            cdb[0] = usage[0];
            if let Some(action) = TABLE[row].service_action {
                cdb[1] = cdb[1] & 0xE0 | action as u8;
            }
            cdb.extend(tail);
            cdb
        },
    );
    prop_oneof![known, vec(any::<u8>(), 0..40)]
}

fn any_sense() -> impl Strategy<Value = Sense> {
    let specific = prop_oneof![
        Just(None),
        (any::<bool>(), any::<u16>(), proptest::option::of(0..8_u8)).prop_map(Some),
    ];
    let information = proptest::option::of(any::<u64>());
    (
        0..16_u8,
        any::<u8>(),
        any::<u8>(),
        specific,
        information,
        any::<u16>(),
    )
        .prop_filter_map(
            "0Ch is no sense key",
            |(key, asc, ascq, field, information, progress)| {
                let key = SenseKey::from_code(key)?;
                let specific = match (key, field) {
                    (SenseKey::IllegalRequest, Some((in_cdb, byte, bit))) => Specific::Field {
                        place: if in_cdb {
                            FieldIn::Cdb
                        } else {
                            FieldIn::ParameterList
                        },
                        byte,
                        bit,
                    },
                    (SenseKey::NotReady, Some(_)) => Specific::Progress(progress),
                    _ => Specific::None,
                };
                Some(Sense {
                    key,
                    asc,
                    ascq,
                    specific,
                    information,
                })
            },
        )
}

fn any_state() -> impl Strategy<Value = ModeState> {
    (
        any::<[bool; 6]>(),
        0..2_u8,
        prop_oneof![Just(0_u8), Just(1), Just(3)],
    )
        .prop_map(|(bits, queue_alg, qerr)| {
            let [wce, tmf_only, dpicz, d_sense, swp, tas] = bits;
            ModeState {
                wce,
                tst: 1,
                tmf_only,
                dpicz,
                d_sense,
                queue_alg,
                qerr,
                swp,
                tas,
            }
        })
}

fn any_mode_sense() -> impl Strategy<Value = ModeSense> {
    (any::<bool>(), any::<bool>(), 0..4_u8, 0..64_u8, any::<u8>()).prop_map(
        |(ten, dbd, control, page, subpage)| {
            let control = match control {
                0 => PageControl::Current,
                1 => PageControl::Changeable,
                2 => PageControl::Default,
                _ => PageControl::Saved,
            };
            let page = if page % 2 == 0 { 0x3F } else { page };
            ModeSense {
                ten,
                dbd,
                control,
                page,
                subpage: if subpage < 200 { 0 } else { subpage },
                alloc_len: 0,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cdb_parses_or_is_refused(cdb in any_cdb()) {
        let known = cdb.first().is_some_and(|&opcode| !rows_of(opcode).is_empty());
        match parse(&cdb) {
            Ok(decoded) => {
                prop_assert!(known);
                prop_assert!(cdb.len() >= decoded.op.cdb_len());
                for (at, (byte, usage)) in cdb.iter().zip(decoded.op.usage).enumerate().skip(1) {
                    let action = if at == 1 && decoded.op.service_action.is_some() { 0x1F } else { 0 };
                    prop_assert_eq!(byte & !(usage | action), 0, "byte {}", at);
                }
                let transfer = decoded.transfer;
                prop_assert_eq!(transfer.direction == Direction::None, transfer.count == 0);
                prop_assert!(transfer.bytes(12) <= u64::from(transfer.count) << 12);
            }
            Err(sense) => {
                prop_assert_eq!(sense == Sense::INVALID_OPCODE, !known);
                if let Specific::Field { place, byte, .. } = sense.specific {
                    prop_assert_eq!(place, FieldIn::Cdb);
                    prop_assert!(usize::from(byte) <= cdb.len());
                }
            }
        }
        if let Ok(decoded) = parse_for(DeviceType::CdRom, &cdb) {
            prop_assert!(decoded.op.types.contains(DeviceType::CdRom));
        }
    }

    #[test]
    fn sense_reads_back(sense in any_sense()) {
        let mut out = [0xEE; 64];
        let len = sense.write_descriptor(&mut out);
        prop_assert_eq!(Sense::parse(&out[..len]), Some(sense));
        let len = sense.write_fixed(&mut out);
        let narrow = sense.information.filter(|&information| information <= u64::from(u32::MAX));
        prop_assert_eq!(Sense::parse(&out[..len]), Some(Sense { information: narrow, ..sense }));
    }

    #[test]
    fn any_sense_bytes_are_read(bytes in vec(any::<u8>(), 0..64), format in 0x70..0x74_u8) {
        let _ = Sense::parse(&bytes);
        let known = [&[format], &bytes[..]].concat();
        let key = known.get(if format < 0x72 { 2 } else { 1 }).map_or(0xC, |key| key & 0x0F);
        let least = if format < 0x72 { 14 } else { 8 };
        prop_assert_eq!(Sense::parse(&known).is_some(), known.len() >= least && key != 0xC);
    }

    #[test]
    fn answers_are_cut_at_a_prefix(room in 0..512_usize, page in any::<u8>(), sense in any_sense(), lbprz in any::<bool>()) {
        let thick = thick();
        let long = [b'n'; 256];
        let named = Identity { scsi_device_name: &long, inq_vend_specific: &long[..100], ..disk1() };
        for identity in [&disk1(), &cd1(), &named] {
            cut_is_a_prefix(room, |out| Ok(standard(identity, out)));
            let block = (identity.device_type == DeviceType::Disk).then_some(&thick);
            let pages = Pages { identity, volatile_cache: lbprz, block };
            cut_is_a_prefix(room, |out| vpd(page, &pages, out));
            cut_is_a_prefix(room, |out| vpd(0x83, &pages, out));
        }
        let capacity = Capacity { blocks: 9, block_size: 512, physical_exponent: 3, lowest_aligned: 7, lbpme: true, lbprz };
        cut_is_a_prefix(room, |out| Ok(capacity.read_capacity_10(out)));
        cut_is_a_prefix(room, |out| Ok(capacity.read_capacity_16(out)));
        cut_is_a_prefix(room, |out| Ok(no_such_lun(out)));
        cut_is_a_prefix(room, |out| Ok(sense.write_fixed(out)));
        cut_is_a_prefix(room, |out| Ok(sense.write_descriptor(out)));
        cut_is_a_prefix(room, |out| report_luns(page, 256, 0..60, AddrMethod::Flat, out));
    }

    #[test]
    fn opcode_reports_are_cut_at_a_prefix(
        room in 0..2048_usize, rctd in any::<bool>(), options in 0..8_u8, opcode in any::<u8>(), service_action in any::<u16>(),
    ) {
        let request = ReportOpcodes { rctd, options, opcode, service_action, alloc_len: 0 };
        cut_is_a_prefix(room, |out| supported_opcodes(&request, |_| true, out));
        cut_is_a_prefix(room, |out| supported_opcodes(&request, |op| op.opcode & 1 == 0, out));
    }

    #[test]
    fn mode_sense_is_cut_at_a_prefix(
        room in 0..256_usize, request in any_mode_sense(), state in any_state(), blocks in any::<u64>(), block_size in any::<u32>(),
    ) {
        for device in [mode_disk(), mode_cdrom()] {
            let device = ModeDevice { current: &state, blocks, block_size, ..device };
            cut_is_a_prefix(room, |out| sense(&request, &device, out));
            let unsaved = ModeDevice { saved: None, ..device };
            cut_is_a_prefix(room, |out| sense(&request, &unsaved, out));
        }
    }

    #[test]
    fn any_mode_list_is_taken_or_refused(
        ten in any::<bool>(), sp in any::<bool>(), list in vec(any::<u8>(), 0..64), list_len in 0..64_u32, state in any_state(),
    ) {
        let device = ModeDevice { current: &state, ..mode_disk() };
        let _ = select(&ModeSelect { ten, pf: true, sp, list_len }, &list, &device);
    }

    /// A list is what MODE SENSE shows of the wanted state, and then with one bit turned.
    #[test]
    fn mode_select_of_a_shown_state_makes_it(
        ten in any::<bool>(), dbd in any::<bool>(), now in any_state(), wanted in any_state(), turned in 0..1100_usize,
    ) {
        let device = ModeDevice { current: &now, saved: None, ..mode_disk() };
        let shown = ModeDevice { current: &wanted, ..device };
        let mut list = vec![0; 256];
        let request = ModeSense { ten, dbd, control: PageControl::Current, page: 0x3F, subpage: 0, alloc_len: 256 };
        let len = sense(&request, &shown, &mut list).expect("all pages");
        list.truncate(len);
        let request = ModeSelect { ten, pf: true, sp: false, list_len: list.len() as u32 };
        prop_assert_eq!(select(&request, &list, &device), Ok(wanted));

        let Some(byte) = list.get_mut(turned / 8) else { return Ok(()) };
        *byte ^= 1 << (turned % 8);
        match select(&request, &list, &device) {
            Ok(state) => prop_assert!(state.queue_alg <= 1 && state.qerr != 2 && state.tst == now.tst),
            Err(refused) => prop_assert_eq!(refused.key, SenseKey::IllegalRequest),
        }
    }

    #[test]
    fn luns_read_back(lun in 0..=MAX_LUN, field in any::<[u8; 8]>()) {
        prop_assert_eq!(decode(&encode(lun, AddrMethod::LogicalUnit)), Some(lun));
        if let Some(lun) = decode(&field) {
            prop_assert!(lun <= MAX_LUN);
        }
    }

    #[test]
    fn ranges_agree_with_wide_arithmetic(
        lba in prop_oneof![any::<u64>(), 0..100_u64], blocks in any::<u32>(), shift in 0..80_u32, capacity in any::<u64>(),
    ) {
        let end = u128::from(lba) + u128::from(blocks);
        let fits = end <= u128::from(capacity) && shift < 64 && end << shift <= u128::from(u64::MAX);
        match byte_range(lba, blocks, shift, capacity) {
            Ok(range) => {
                prop_assert!(fits);
                prop_assert_eq!(u128::from(range.offset), u128::from(lba) << shift);
                prop_assert_eq!(u128::from(range.len), u128::from(blocks) << shift);
            }
            Err(sense) => {
                prop_assert!(!fits);
                prop_assert_eq!(sense, Sense::LBA_OUT_OF_RANGE);
            }
        }
    }

    #[test]
    fn management_text_of_any_kind(text in "[a-z0-9=; \\n\\t\u{e9}\u{20AC}]{0,60}", other in ".{0,40}") {
        for text in [text.as_str(), other.as_str()] {
            let quotes = text.contains('"');
            for segment in segments(text) {
                prop_assert!(quotes || !segment.contains([';', '\n']));
                let found: Vec<_> = words(segment).collect();
                prop_assert!(!found.is_empty());
                prop_assert!(found.iter().all(|word| !word.is_empty()));
                prop_assert!(quotes || found.iter().all(|word| !word.contains([' ', '\t', '='])));
            }
            let _ = (number(text), signed(text));
        }
    }

    #[test]
    fn a_quoted_value_comes_back_whole(value in "[a-z=; \"\\n\\t\u{e9}]{0,20}", behind in "(;| x| ;x=1)?") {
        let ends_early = value.contains('"');
        let needs_quotes = value.contains(['=', ';', ' ', '\n', '\t']);
        let text = format!("add d name=\"{value}\"{behind}");
        let found: Vec<_> = segments(&text).flat_map(words).collect();
        if needs_quotes && !ends_early {
            prop_assert_eq!(found.get(3).copied(), Some(value.as_str()), "{}", text);
        } else if !needs_quotes {
            let kept = format!("\"{value}\"");
            prop_assert_eq!(found.get(3).copied(), Some(kept.as_str()), "{}", text);
        }
    }

    #[test]
    fn numbers_read_back(value in any::<u64>(), negative in any::<i64>()) {
        for word in [format!("{value}"), format!("{value:#x}"), format!("0{value:o}")] {
            prop_assert_eq!(number(&word), Ok(value), "{}", word);
        }
        prop_assert_eq!(signed(&negative.to_string()), Ok(negative));
    }

    #[test]
    fn text_keeps_whole_strings(pieces in vec(".{0,8}", 0..8)) {
        let mut text = Text::<24>::new();
        let mut expected = String::new();
        for piece in &pieces {
            if text.push_str(piece).is_ok() {
                expected.push_str(piece);
            } else {
                prop_assert!(expected.len() + piece.len() > 24);
            }
            prop_assert_eq!(text.as_str(), expected.as_str());
        }
        let joined = pieces.concat();
        let mut cut = Text::<24>::new();
        prop_assert_eq!(cut.push_truncated(&joined), joined.len() <= 24);
        prop_assert!(joined.starts_with(cut.as_str()));
        prop_assert!(cut.len() == joined.len() || cut.len() > 20);
    }
}
