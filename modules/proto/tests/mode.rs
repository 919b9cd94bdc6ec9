// SPDX-License-Identifier: GPL-2.0-only
//! MODE SENSE and MODE SELECT against captured bytes, and what must be refused.

mod common;

use common::{answer, hex, mode_cdrom, mode_disk, STATE};
use proto::cdb::{parse, Command, ModeSelect, ModeSense};
use proto::mode::{select, sense, ModeDevice, ModeState};
use proto::sense::Sense;

fn mode_sense(cdb: &str) -> ModeSense {
    match parse(&hex(cdb)).map(|decoded| decoded.command) {
        Ok(Command::ModeSense(request)) => request,
        other => panic!("{cdb}: {other:?}"),
    }
}

/// The answer to `cdb` of `device`.
fn sensed(cdb: &str, device: &ModeDevice<'_>) -> Result<Vec<u8>, Sense> {
    let request = mode_sense(cdb);
    let mut out = vec![0xEE; request.alloc_len as usize];
    let len = sense(&request, device, &mut out)?;
    out.truncate(len);
    Ok(out)
}

/// What MODE SELECT (6) with page format makes of `list`.
fn selected(list: &str, device: &ModeDevice<'_>) -> Result<ModeState, Sense> {
    let list = hex(list);
    let list_len = list.len() as u32;
    select(
        &ModeSelect {
            ten: false,
            pf: true,
            sp: false,
            list_len,
        },
        &list,
        device,
    )
}

const DISK_PAGES: &str = "
    01 0a c0 01 00 00 00 00 01 00 ff ff 02 0e 80 80 00 0a 00 00
    00 00 00 00 00 00 00 00 03 16 00 00 00 00 00 00
    00 00 00 38 02 00 00 00 00 00 00 00 40 00 00 00
    88 12 04 00 00 00 00 00 00 00 00 00 80 14 00 00
    00 00 00 00 8a 0a 20 10 00 00 00 00 00 00 02 4b
    1c 0a 08 00 00 00 00 00 00 00 00 00 04 16 00 00
    0a ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    3a 98 00 00";

#[test]
fn all_pages_are_as_captured() {
    let cases = [
        (
            "1a 00 3f 00 ff 00",
            format!("83 00 10 08 00 02 00 00 00 00 02 00 {DISK_PAGES}"),
        ),
        ("1a 08 3f 00 ff 00", format!("7b 00 10 00 {DISK_PAGES}")),
        (
            "5a 00 3f 00 00 00 00 02 00 00",
            format!("00 86 00 10 00 00 00 08 00 02 00 00 00 00 02 00 {DISK_PAGES}"),
        ),
        (
            "5a 10 3f 00 00 00 00 02 00 00",
            format!("00 86 00 10 00 00 00 08 00 02 00 00 00 00 02 00 {DISK_PAGES}"),
        ),
        (
            "5a 08 bf 00 00 00 00 02 00 00",
            format!("00 7e 00 10 00 00 00 00 {DISK_PAGES}"),
        ),
    ];
    for (cdb, bytes) in cases {
        assert_eq!(sensed(cdb, &mode_disk()), Ok(hex(&bytes)), "{cdb}");
    }
}

#[test]
fn a_drive_has_the_captured_pages_and_its_capabilities() {
    let captured = "45 05 80 08 00 00 20 00 00 00 08 00
                    01 0a c0 01 00 00 00 00 01 00 ff ff
                    8a 0a 20 10 00 00 00 00 00 00 02 4b
                    1c 0a 08 00 00 00 00 00 00 00 00 00";
    let capabilities = |tray| {
        format!("2a 14 00 00 00 00 {tray} 00 1b 80 00 00 00 00 1b 80 00*6")
            .replace("00*6", "00 00 00 00 00 00")
    };
    let all = format!("{captured} {}", capabilities("29"));
    assert_eq!(sensed("1a 00 3f 00 ff 00", &mode_cdrom()), Ok(hex(&all)));
    let locked = ModeDevice {
        locked: true,
        ..mode_cdrom()
    };
    let page = format!("19 05 80 00 {}", capabilities("2b"));
    assert_eq!(sensed("1a 08 2a 00 ff 00", &locked), Ok(hex(&page)));
}

#[test]
fn single_pages_are_as_captured() {
    let cases = [
        ("1a 00 48 00 ff 00", "1f 00 10 08 00 02 00 00 00 00 02 00 88 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
        ("1a 00 4a 00 ff 00", "17 00 10 08 00 02 00 00 00 00 02 00 8a 0a 1c f6 08 40 00 00 00 00 00 00"),
        ("1a 00 c8 00 ff 00", "1f 00 10 08 00 02 00 00 00 00 02 00 88 12 04 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00"),
        ("1a 00 08 00 04 00", "1f 00 10 08"),
        ("1a 08 01 00 ff 00", "0f 00 10 00 01 0a c0 01 00 00 00 00 01 00 ff ff"),
        ("1a 08 02 00 ff 00", "13 00 10 00 02 0e 80 80 00 0a 00 00 00 00 00 00 00 00 00 00"),
        ("1a 08 43 00 ff 00", "1b 00 10 00 03 16 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"),
        ("1a 08 04 00 ff 00", "1b 00 10 00 04 16 00 00 0a ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 3a 98 00 00"),
        ("1a 08 1c 00 ff 00", "0f 00 10 00 1c 0a 08 00 00 00 00 00 00 00 00 00"),
    ];
    for (cdb, bytes) in cases {
        assert_eq!(sensed(cdb, &mode_disk()), Ok(hex(bytes)), "{cdb}");
    }
}

#[test]
fn mode_sense_refuses() {
    let cases = [
        ("1a 00 3f 01 ff 00", Sense::invalid_field_in_cdb(3)),
        ("1a 00 3f ff ff 00", Sense::invalid_field_in_cdb(3)),
        ("1a 00 07 00 ff 00", Sense::invalid_field_in_cdb_bit(2, 5)),
        ("1a 08 00 00 ff 00", Sense::invalid_field_in_cdb_bit(2, 5)),
        ("1a 08 2a 00 ff 00", Sense::invalid_field_in_cdb_bit(2, 5)),
    ];
    for (cdb, sense) in cases {
        assert_eq!(sensed(cdb, &mode_disk()), Err(sense), "{cdb}");
    }
    assert_eq!(
        sensed("1a 08 08 00 ff 00", &mode_cdrom()),
        Err(Sense::invalid_field_in_cdb_bit(2, 5))
    );
    let unsaved = ModeDevice {
        saved: None,
        ..mode_disk()
    };
    assert_eq!(
        sensed("1a 00 ff 00 ff 00", &unsaved),
        Err(Sense::SAVING_NOT_SUPPORTED)
    );
    assert_eq!(
        sensed("1a 08 08 00 06 00", &unsaved),
        Ok(hex("17 00 10 00 08 12")),
        "PS is 0"
    );
}

#[test]
fn each_kind_of_value_comes_from_its_own_state() {
    let current = ModeState {
        wce: false,
        d_sense: true,
        tas: true,
        qerr: 3,
        ..STATE
    };
    let saved = ModeState {
        swp: true,
        tmf_only: true,
        ..STATE
    };
    let device = ModeDevice {
        current: &current,
        saved: Some(&saved),
        wce_changeable: false,
        ..mode_disk()
    };
    let body = |cdb: &str| sensed(cdb, &device).map(|data| data[6..10].to_vec());
    assert_eq!(body("1a 08 0a 00 ff 00"), Ok(hex("24 16 00 40")));
    assert_eq!(body("1a 08 8a 00 ff 00"), Ok(hex("20 10 00 00")));
    assert_eq!(
        body("1a 08 ca 00 ff 00"),
        Ok(hex("30 10 08 00")),
        "TMF_ONLY is saved too"
    );
    assert_eq!(body("1a 08 08 00 ff 00"), Ok(hex("00 00 00 00")));
    assert_eq!(
        body("1a 08 48 00 ff 00"),
        Ok(hex("00 00 00 00")),
        "WCE is fixed"
    );
}

#[test]
fn header_and_geometry_follow_the_device() {
    let device = ModeDevice {
        write_protected: true,
        blocks: u64::MAX,
        block_size: 4096,
        ..mode_disk()
    };
    let all = sensed("1a 00 04 00 ff 00", &device).expect("page 04");
    assert_eq!(all[2], 0x90);
    assert_eq!(
        all[4..12],
        hex("ff ff ff ff 00 00 10 00"),
        "more blocks than the descriptor can say"
    );
    assert_eq!(
        all[14..18],
        hex("ff ff ff ff"),
        "more cylinders than the page can say, and 255 heads"
    );
    let empty = ModeDevice {
        blocks: 0,
        ..mode_disk()
    };
    assert_eq!(
        sensed("1a 08 04 00 ff 00", &empty).map(|data| data[6..9].to_vec()),
        Ok(hex("00 00 00"))
    );
    assert_eq!(
        sensed("1a 08 03 00 ff 00", &device).map(|data| data[16..18].to_vec()),
        Ok(hex("10 00"))
    );
}

const CACHING: &str = "08 12 04 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00";
const CONTROL: &str = "0a 0a 20 10 00 00 00 00 00 00 02 4b";

#[test]
fn mode_select_changes_what_it_names() {
    let header = "00 00 00 00";
    let cases = [
        ("".to_owned(), STATE),
        (header.to_owned(), STATE),
        (format!("{header} {CACHING}"), STATE),
        (
            format!("{header} 08 12 00 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00"),
            ModeState { wce: false, ..STATE },
        ),
        (format!("{header} 0a 0a 24 10 00 00 00 00 00 00 02 4b"), ModeState { d_sense: true, ..STATE }),
        (format!("{header} 0a 0a 20 10 08 00 00 00 00 00 02 4b"), ModeState { swp: true, ..STATE }),
        (format!("{header} 0a 0a 20 10 00 40 00 00 00 00 02 4b"), ModeState { tas: true, ..STATE }),
        (format!("{header} 0a 0a 30 10 00 00 00 00 00 00 02 4b"), ModeState { tmf_only: true, ..STATE }),
        (format!("{header} 0a 0a 28 10 00 00 00 00 00 00 02 4b"), ModeState { dpicz: true, ..STATE }),
        (format!("{header} 0a 0a 20 12 00 00 00 00 00 00 02 4b"), ModeState { qerr: 1, ..STATE }),
        (format!("{header} 0a 0a 20 16 00 00 00 00 00 00 02 4b"), ModeState { qerr: 3, ..STATE }),
        (format!("{header} 0a 0a 20 00 00 00 00 00 00 00 02 4b"), ModeState { queue_alg: 0, ..STATE }),
        // Two pages, in either order: what follows a control page is read from its own beginning.
        (
            format!("{header} 0a 0a 24 10 00 00 00 00 00 00 02 4b 08 12 00 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00"),
            ModeState { d_sense: true, wce: false, ..STATE },
        ),
        (format!("{header} {CACHING} {CONTROL}"), STATE),
        // The block descriptor as reported, or saying "keep" or "all there is".
        (format!("00 00 00 08 00 02 00 00 00 00 02 00 {CONTROL}"), STATE),
        (format!("00 00 00 08 00 00 00 00 00 00 00 00 {CONTROL}"), STATE),
        (format!("00 00 00 08 ff ff ff ff 00 00 02 00 {CONTROL}"), STATE),
        // A page that has nothing to change, unchanged.
        (format!("{header} 1c 0a 08 00 00 00 00 00 00 00 00 00"), STATE),
    ];
    for (list, state) in cases {
        assert_eq!(selected(&list, &mode_disk()), Ok(state), "{list}");
    }
}

#[test]
fn mode_select_10_has_a_longer_header() {
    let device = mode_disk();
    let run = |list: &str| {
        let list = hex(list);
        let list_len = list.len() as u32;
        select(
            &ModeSelect {
                ten: true,
                pf: true,
                sp: true,
                list_len,
            },
            &list,
            &device,
        )
    };
    let header = "00 00 00 00 00 00 00 00";
    assert_eq!(run(&format!("{header} {CONTROL}")), Ok(STATE));
    assert_eq!(
        run("00 00 00 00 00 00 00 08 00 00 00 00 00 00 02 00 0a 0a 24 10 00 00 00 00 00 00 02 4b"),
        Ok(ModeState {
            d_sense: true,
            ..STATE
        })
    );
    let long_lba = "00 00 00 00 01 00 00 10";
    assert_eq!(
        run(long_lba),
        Err(Sense::invalid_field_in_parameter_list_bit(4, 0))
    );
    assert_eq!(
        run("00 00 00 00 00 00 00 10"),
        Err(Sense::invalid_field_in_parameter_list(6))
    );
    assert_eq!(run("00 00 00 00"), Err(Sense::PARAMETER_LIST_LENGTH_ERROR));
}

#[test]
fn mode_select_refuses() {
    let parameter = Sense::invalid_field_in_parameter_list;
    let bit = Sense::invalid_field_in_parameter_list_bit;
    let short = Sense::PARAMETER_LIST_LENGTH_ERROR;
    let header = "00 00 00 00";
    let cases = [
        ("header cut", "00 00 00".to_owned(), short),
        ("descriptor cut", "00 00 00 08 00 00".to_owned(), short),
        (
            "descriptor of 4 bytes",
            format!("00 00 00 04 00 00 00 00 {CACHING}"),
            parameter(3),
        ),
        (
            "other capacity",
            format!("00 00 00 08 00 01 00 00 00 00 02 00 {CONTROL}"),
            parameter(4),
        ),
        (
            "other block length",
            format!("00 00 00 08 00 02 00 00 00 00 10 00 {CONTROL}"),
            parameter(9),
        ),
        ("page header cut", format!("{header} 08"), short),
        (
            "page cut",
            format!("{header} 08 12 04 00 00 00 00 00 00 00"),
            short,
        ),
        (
            "second page cut",
            format!("{header} {CONTROL} 08 12 04"),
            short,
        ),
        (
            "PS set",
            format!("{header} 88 12 04 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00"),
            bit(4, 7),
        ),
        (
            "subpage format",
            format!("{header} 4a 01 00 04 00 00 00 00"),
            bit(4, 6),
        ),
        (
            "no such page",
            format!("{header} 07 0a 00 00 00 00 00 00 00 00 00 00"),
            bit(4, 5),
        ),
        (
            "page length",
            format!("{header} 0a 0b 20 10 00 00 00 00 00 00 02 4b 00"),
            parameter(5),
        ),
        (
            "page length, second page",
            format!("{header} {CONTROL} 08 0a 04"),
            parameter(17),
        ),
        (
            "TST",
            format!("{header} 0a 0a 00 10 00 00 00 00 00 00 02 4b"),
            bit(6, 7),
        ),
        (
            "QErr 2",
            format!("{header} 0a 0a 20 14 00 00 00 00 00 00 02 4b"),
            bit(7, 2),
        ),
        (
            "QAM 2",
            format!("{header} 0a 0a 20 20 00 00 00 00 00 00 02 4b"),
            bit(7, 7),
        ),
        (
            "ATO",
            format!("{header} 0a 0a 20 10 00 80 00 00 00 00 02 4b"),
            bit(9, 7),
        ),
        (
            "RCD",
            format!("{header} 08 12 05 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00"),
            bit(6, 0),
        ),
        (
            "exceptions page",
            format!("{header} 1c 0a 00 00 00 00 00 00 00 00 00 00"),
            bit(6, 3),
        ),
        // The first page is good: it must not take effect.
        (
            "bad second page",
            format!(
                "{header} 0a 0a 24 10 00 00 00 00 00 00 02 4b 1c 0a 00 00 00 00 00 00 00 00 00 00"
            ),
            bit(18, 3),
        ),
    ];
    for (what, list, sense) in cases {
        assert_eq!(selected(&list, &mode_disk()), Err(sense), "{what}: {list}");
    }
    let fixed_cache = ModeDevice {
        wce_changeable: false,
        ..mode_disk()
    };
    let no_cache = format!("{header} 08 12 00 00 00 00 00 00 00 00 00 00 80 14 00 00 00 00 00 00");
    assert_eq!(selected(&no_cache, &fixed_cache), Err(bit(6, 2)));
    assert_eq!(
        selected(&format!("{header} {CACHING}"), &mode_cdrom()),
        Err(bit(4, 5))
    );
}

#[test]
fn mode_select_cdb_bits() {
    let device = mode_disk();
    let unsaved = ModeDevice {
        saved: None,
        ..device
    };
    let list = hex(&format!("00 00 00 00 {CONTROL}"));
    let request = ModeSelect {
        ten: false,
        pf: true,
        sp: true,
        list_len: 16,
    };
    assert_eq!(select(&request, &list, &device), Ok(STATE));
    assert_eq!(
        select(&request, &list, &unsaved),
        Err(Sense::invalid_field_in_cdb_bit(1, 0))
    );
    let no_format = ModeSelect {
        pf: false,
        ..request
    };
    assert_eq!(
        select(&no_format, &list, &device),
        Err(Sense::invalid_field_in_cdb(1))
    );
    // Fewer bytes came than the CDB promises; more came than it speaks of.
    assert_eq!(
        select(&request, &list[..15], &device),
        Err(Sense::PARAMETER_LIST_LENGTH_ERROR)
    );
    assert_eq!(
        select(
            &ModeSelect {
                list_len: 4,
                ..request
            },
            &list,
            &device
        ),
        Ok(STATE)
    );
}

#[test]
fn what_mode_sense_returned_can_be_sent_back() {
    for device in [mode_disk(), mode_cdrom()] {
        for (ten, cdb) in [
            (false, "1a 00 3f 00 ff 00"),
            (true, "5a 00 3f 00 00 00 00 02 00 00"),
        ] {
            let request = ModeSense { ..mode_sense(cdb) };
            let unsaved = ModeDevice {
                saved: None,
                ..device
            };
            let list = answer(512, |out| {
                sense(&request, &unsaved, out).expect("all pages")
            });
            let list_len = list.len() as u32;
            let request = ModeSelect {
                ten,
                pf: true,
                sp: false,
                list_len,
            };
            assert_eq!(select(&request, &list, &unsaved), Ok(STATE), "{cdb}");
        }
    }
}

#[test]
fn a_list_has_pages_when_it_is_longer_than_its_header() {
    let list = |ten, list_len| ModeSelect {
        ten,
        pf: true,
        sp: false,
        list_len,
    };
    assert!(!list(false, 4).has_pages() && list(false, 5).has_pages());
    assert!(!list(true, 8).has_pages() && list(true, 9).has_pages());
}
