// SPDX-License-Identifier: GPL-2.0-only
//! Sense data against captured bytes, and back.

mod common;

use common::{answer, fixed, hex};
use proto::sense::{Sense, Specific, DESCRIPTOR_MAX_LEN, FIXED_LEN, NAMED};

#[test]
fn fixed_format_is_as_captured() {
    let cases = [
        (
            Sense::INVALID_OPCODE,
            "70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 00 00 00",
        ),
        (
            Sense::LBA_OUT_OF_RANGE,
            "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00",
        ),
        (
            Sense::LUN_NOT_SUPPORTED,
            "70 00 05 00 00 00 00 0a 00 00 00 00 25 00 00 00 00 00",
        ),
        (
            Sense::DATA_PHASE_ERROR,
            "70 00 05 00 00 00 00 0a 00 00 00 00 49 00 00 00 00 00",
        ),
        (
            Sense::MODE_PARAMETERS_CHANGED,
            "70 00 06 00 00 00 00 0a 00 00 00 00 2a 01 00 00 00 00",
        ),
        (
            Sense::MISCOMPARE,
            "70 00 0e 00 00 00 00 0a 00 00 00 00 1d 00 00 00 00 00",
        ),
        (
            Sense::invalid_field_in_cdb(2),
            "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 02",
        ),
        (
            Sense::invalid_field_in_cdb_bit(1, 1),
            "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c9 00 01",
        ),
        (
            Sense::invalid_field_in_parameter_list(3),
            "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 03",
        ),
        (
            Sense::invalid_field_in_parameter_list_bit(4, 7),
            "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 8f 00 04",
        ),
        (
            Sense::MISCOMPARE.with_information(0x64),
            "f0 00 0e 00 00 00 64 0a 00 00 00 00 1d 00 00 00 00 00",
        ),
        (
            Sense::FORMAT_IN_PROGRESS.with_progress(0x8001),
            "70 00 02 00 00 00 00 0a 00 00 00 00 04 04 00 80 80 01",
        ),
    ];
    for (sense, bytes) in cases {
        assert_eq!(fixed(sense), hex(bytes), "{sense:?}");
    }
}

#[test]
fn descriptor_format_is_as_captured() {
    let cases = [
        (Sense::LBA_OUT_OF_RANGE, "72 05 21 00 00 00 00 00"),
        (
            Sense::invalid_field_in_cdb(2),
            "72 05 24 00 00 00 00 08 02 06 00 00 c0 00 02 00",
        ),
        (
            Sense::MISCOMPARE.with_information(0x1_0000_0002),
            "72 0e 1d 00 00 00 00 0c 00 0a 80 00 00 00 00 01 00 00 00 02",
        ),
    ];
    for (sense, bytes) in cases {
        let written = answer(64, |out| sense.write_descriptor(out));
        assert_eq!(written, hex(bytes), "{sense:?}");
        assert_eq!(answer(64, |out| sense.write(true, out)), written);
    }
}

#[test]
fn information_above_32_bits_is_not_valid_in_fixed_format() {
    let written = fixed(Sense::READ_ERROR.with_information(1 << 32));
    assert_eq!(
        written,
        hex("70 00 03 00 00 00 00 0a 00 00 00 00 11 00 00 00 00 00")
    );
}

#[test]
fn both_formats_read_back() {
    for &(name, sense) in NAMED {
        for sense in [sense, sense.with_information(7)] {
            assert_eq!(Sense::parse(&fixed(sense)), Some(sense), "{name}");
            let descriptor = answer(64, |out| sense.write_descriptor(out));
            assert_eq!(Sense::parse(&descriptor), Some(sense), "{name}");
        }
    }
    let pointing = Sense::invalid_field_in_parameter_list_bit(0x1234, 5).with_information(9);
    assert_eq!(Sense::parse(&fixed(pointing)), Some(pointing));
    let longest = answer(64, |out| pointing.write_descriptor(out));
    assert_eq!(longest.len(), DESCRIPTOR_MAX_LEN);
    assert_eq!(Sense::parse(&longest), Some(pointing));
    assert_eq!(fixed(pointing).len(), FIXED_LEN);
}

#[test]
fn foreign_sense_data_is_read_as_far_as_it_goes() {
    assert_eq!(Sense::parse(&[]), None);
    assert_eq!(Sense::parse(&hex("00 00 05")), None);
    assert_eq!(
        Sense::parse(&hex("70 00 05 00 00 00 00 06 00 00 00 00 20")),
        None
    );
    // Without sense-key specific bytes.
    let short = hex("70 00 05 00 00 00 00 06 00 00 00 00 20 00");
    assert_eq!(Sense::parse(&short), Some(Sense::INVALID_OPCODE));
    // Filemark and ILI bits beside the key, deferred.
    let deferred = hex("f1 00 e3 00 00 00 05 0a 00 00 00 00 11 00 00 00 00 00");
    assert_eq!(
        Sense::parse(&deferred),
        Some(Sense::READ_ERROR.with_information(5))
    );
    // A descriptor that runs past the end is left alone, the ones before it count.
    let cut = hex("72 05 24 00 00 00 00 14 02 06 00 00 c0 00 02 00 00 0a 80 00 00");
    assert_eq!(Sense::parse(&cut), Some(Sense::invalid_field_in_cdb(2)));
    // INFORMATION without VALID is none.
    let invalid = hex("72 03 11 00 00 00 00 0c 00 0a 00 00 00 00 00 00 00 00 00 07");
    assert_eq!(Sense::parse(&invalid), Some(Sense::READ_ERROR));
    // An unknown descriptor is stepped over.
    let unknown = hex("73 05 24 00 00 00 00 0c 80 02 aa bb 02 06 00 00 c9 00 01 00");
    assert_eq!(
        Sense::parse(&unknown),
        Some(Sense::invalid_field_in_cdb_bit(1, 1))
    );
}

/// Key, code and qualifier of every named code, as the standard's list of them says (SPC-4 annex
/// D).
const CODES: &str = "
    NO_SENSE 0/00/00
    NOT_READY 2/04/00
    BECOMING_READY 2/04/01
    MANUAL_INTERVENTION_REQUIRED 2/04/03
    FORMAT_IN_PROGRESS 2/04/04
    ALUA_TRANSITION 2/04/0a
    ALUA_STANDBY 2/04/0b
    ALUA_UNAVAILABLE 2/04/0c
    MEDIUM_NOT_PRESENT 2/3a/00
    TRAY_OPEN 2/3a/02
    WRITE_ERROR 3/03/00
    READ_ERROR 3/11/00
    FORMAT_FAILED 3/31/01
    INTERNAL_TARGET_FAILURE 4/44/00
    SET_TARGET_PORT_GROUPS_FAILED 4/67/0a
    PARAMETER_LIST_LENGTH_ERROR 5/1a/00
    INVALID_OPCODE 5/20/00
    LBA_OUT_OF_RANGE 5/21/00
    INVALID_FIELD_IN_CDB 5/24/00
    LUN_NOT_SUPPORTED 5/25/00
    INVALID_FIELD_IN_PARAMETER_LIST 5/26/00
    INVALID_RELEASE 5/26/04
    SAVING_NOT_SUPPORTED 5/39/00
    DATA_PHASE_ERROR 5/49/00
    MEDIUM_REMOVAL_PREVENTED 5/53/02
    INSUFFICIENT_REGISTRATION_RESOURCES 5/55/04
    WRITE_PROTECTED 7/27/00
    SOFTWARE_WRITE_PROTECTED 7/27/02
    SPACE_ALLOCATION_FAILED 7/27/07
    MISCOMPARE e/1d/00
    MEDIUM_CHANGED 6/28/00
    POWER_ON_RESET 6/29/00
    NEXUS_LOSS 6/29/07
    MODE_PARAMETERS_CHANGED 6/2a/01
    LOG_PARAMETERS_CHANGED 6/2a/02
    RESERVATIONS_PREEMPTED 6/2a/03
    RESERVATIONS_RELEASED 6/2a/04
    REGISTRATIONS_PREEMPTED 6/2a/05
    ALUA_STATE_CHANGED 6/2a/06
    CAPACITY_CHANGED 6/2a/09
    COMMANDS_CLEARED_BY_ANOTHER 6/2f/00
    THIN_THRESHOLD_REACHED 6/38/07
    INQUIRY_DATA_CHANGED 6/3f/03
    REPORTED_LUNS_CHANGED 6/3f/0e
";

#[test]
fn named_codes_are_those_of_the_standard() {
    let written: Vec<_> = NAMED
        .iter()
        .map(|(name, sense)| {
            let key = sense.key as u8;
            assert_eq!(sense.specific, Specific::None, "{name}");
            format!("{name} {key:x}/{:02x}/{:02x}", sense.asc, sense.ascq)
        })
        .collect();
    let expected: Vec<_> = CODES.trim().lines().map(str::trim).collect();
    assert_eq!(written, expected);
}
