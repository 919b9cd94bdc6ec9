// SPDX-License-Identifier: GPL-2.0-only
//! INQUIRY answers against captured bytes.

mod common;

use common::{answer, cd1, disk1, hex, thick};
use proto::inquiry::{
    no_such_lun, standard, vpd, BlockPages, Identity, Pages, Provisioning, Tpgs, UnmapLimits,
};
use proto::sense::Sense;

fn page(page: u8, identity: &Identity<'_>, block: Option<&BlockPages>) -> Vec<u8> {
    let pages = Pages {
        identity,
        volatile_cache: true,
        block,
    };
    answer(1024, |out| {
        vpd(page, &pages, out).expect("a supported page")
    })
}

#[test]
fn standard_data_is_as_captured() {
    let disk = "00 00 06 22 3d 08 10 02 53 43 53 54 5f 46 49 4f
                64 69 73 6b 31 20 20 20 20 20 20 20 20 20 20 20
                33 31 31 30 00 00 00 00 00 00 00 00 00 00 00 00
                00 00 00 00 00 00 00 00 00 00 00 8b 0b e0 04 63
                04 c0";
    assert_eq!(answer(255, |out| standard(&disk1(), out)), hex(disk));
    let cdrom = "05 80 06 22 3b 08 10 02 53 43 53 54 5f 46 49 4f
                 63 64 31 20 20 20 20 20 20 20 20 20 20 20 20 20
                 33 31 31 30 00 00 00 00 00 00 00 00 00 00 00 00
                 00 00 00 00 00 00 00 00 00 00 00 8b 0b e0 04 63";
    assert_eq!(answer(255, |out| standard(&cd1(), out)), hex(cdrom));
    let renamed = Identity {
        vendor: b"NEWVEND",
        product: b"NEWPROD",
        revision: b"1.2",
        inq_vend_specific: b"vs bytes",
        ..disk1()
    };
    let changed = "00 00 06 22 3d 08 10 02 4e 45 57 56 45 4e 44 20
                   4e 45 57 50 52 4f 44 20 20 20 20 20 20 20 20 20
                   31 2e 32 20 76 73 20 62 79 74 65 73 00 00 00 00
                   00 00 00 00 00 00 00 00 00 00 00 8b 0b e0 04 63
                   04 c0";
    assert_eq!(answer(255, |out| standard(&renamed, out)), hex(changed));
}

#[test]
fn standard_data_bit_by_bit() {
    let byte = |identity: &Identity<'_>, at: usize| answer(255, |out| standard(identity, out))[at];
    let hidden = Identity {
        not_connected: true,
        ..disk1()
    };
    assert_eq!(byte(&hidden, 0), 0x20);
    assert_eq!(
        byte(
            &Identity {
                norm_aca: false,
                ..disk1()
            },
            3
        ),
        0x02
    );
    assert_eq!(
        byte(
            &Identity {
                third_party_copy: false,
                ..disk1()
            },
            5
        ),
        0x00
    );
    for (tpgs, bits) in [
        (Tpgs::Implicit, 0x10),
        (Tpgs::Explicit, 0x20),
        (Tpgs::Both, 0x30),
    ] {
        assert_eq!(byte(&Identity { tpgs, ..disk1() }, 5), bits | 0x08);
    }
}

#[test]
fn long_vendor_specific_bytes_go_behind_the_version_descriptors() {
    let long = [b'x'; 161];
    for len in [21, 160, 161] {
        let identity = Identity {
            inq_vend_specific: &long[..len],
            ..disk1()
        };
        let data = answer(512, |out| standard(&identity, out));
        let kept = len.min(160);
        assert_eq!(data.len(), 96 + kept);
        assert_eq!(usize::from(data[4]), data.len() - 5);
        assert_eq!(data[36..58], [0; 22]);
        assert_eq!(data[96..], long[..kept]);
    }
    let identity = Identity {
        inq_vend_specific: &long[..20],
        ..disk1()
    };
    let data = answer(512, |out| standard(&identity, out));
    assert_eq!((data.len(), data[55], data[56]), (66, b'x', 0));
}

#[test]
fn vpd_pages_are_as_captured() {
    let disk = disk1();
    let thick = thick();
    let cases = [
        (0x00, "00 00 00 06 00 80 83 86 b0 b1".to_owned()),
        (0x80, "00 80 00 0a 31 30 62 38 66 64 62 64 33 32".to_owned()),
        (
            0x83,
            "00 83 00 30 02 01 00 18 53 43 53 54 5f 46 49 4f
             31 30 62 38 66 64 62 64 33 32 2d 64 69 73 6b 31
             01 14 00 04 00 00 00 00 01 02 00 08 31 30 62 38
             66 64 62 64"
                .to_owned(),
        ),
        (
            0x86,
            format!("00 86 00 3c 00 07 01 01 {}", "00 ".repeat(56)),
        ),
        (
            0xB0,
            format!(
                "00 b0 00 3c 01 ff 00 08 00 00 40 00 00 00 04 00 {} 00 08 00 00 {}",
                "00 ".repeat(24),
                "00 ".repeat(20)
            ),
        ),
        (0xB1, format!("00 b1 00 3c 3a 98 {}", "00 ".repeat(58))),
    ];
    for (code, bytes) in cases {
        assert_eq!(
            page(code, &disk, Some(&thick)),
            hex(&bytes),
            "page {code:02x}"
        );
    }
    let cdrom = cd1();
    assert_eq!(page(0x00, &cdrom, None), hex("05 00 00 04 00 80 83 86"));
    assert_eq!(
        page(0x83, &cdrom, None),
        hex("05 83 00 2e 02 01 00 16 53 43 53 54 5f 46 49 4f
             31 30 66 35 62 32 39 37 37 36 2d 63 64 31 01 14
             00 04 00 00 00 00 01 02 00 08 31 30 66 35 62 32
             39 37")
    );
}

#[test]
fn thin_pages() {
    let mut thin = thick();
    thin.limits.unmap = Some(UnmapLimits {
        max_lbas: u32::MAX,
        granularity: 8,
        alignment: None,
    });
    thin.provisioning = Some(Provisioning { lbprz: false });
    let disk = disk1();
    assert_eq!(
        page(0x00, &disk, Some(&thin)),
        hex("00 00 00 07 00 80 83 86 b0 b1 b2")
    );
    assert_eq!(
        page(0xB2, &disk, Some(&thin)),
        hex("00 b2 00 04 00 e0 02 00")
    );
    assert_eq!(
        page(0xB0, &disk, Some(&thin))[16..44],
        hex("00 00 00 00 ff ff ff ff ff ff ff ff 00 00 00 08
             00 00 00 00 00 00 00 00 00 08 00 00")
    );
    thin.provisioning = Some(Provisioning { lbprz: true });
    thin.limits.unmap = Some(UnmapLimits {
        max_lbas: 1,
        granularity: 8,
        alignment: Some(3),
    });
    assert_eq!(page(0xB2, &disk, Some(&thin))[5], 0xE4);
    assert_eq!(page(0xB0, &disk, Some(&thin))[32..36], hex("80 00 00 03"));
}

#[test]
fn pages_that_are_not_there() {
    let disk = disk1();
    let thick = thick();
    let refused = |code, block| {
        let pages = Pages {
            identity: &disk,
            volatile_cache: false,
            block,
        };
        vpd(code, &pages, &mut [0; 64]).err()
    };
    for code in [0x01, 0x84, 0xB2, 0xB3, 0xFF] {
        assert_eq!(
            refused(code, Some(&thick)),
            Some(Sense::invalid_field_in_cdb(2)),
            "{code:02x}"
        );
    }
    assert_eq!(refused(0xB0, None), Some(Sense::invalid_field_in_cdb(2)));
    assert_eq!(refused(0xB0, Some(&thick)), None);
}

#[test]
fn all_designators_are_as_captured() {
    let identity = Identity {
        vendor: b"NEWVEND",
        vend_specific_id: b"vsi",
        scsi_device_name: b"iqn.2026-01.x:y",
        naa: &[0x50, 0x01, 0x40, 0x50, 0, 0, 0, 1],
        eui64: &[0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
        ..disk1()
    };
    let captured = "00 83 00 43 03 28 00 10 69 71 6e 2e 32 30 32 36
                    2d 30 31 2e 78 3a 79 00 02 01 00 0b 4e 45 57 56
                    45 4e 44 20 76 73 69 01 14 00 04 00 00 00 00 01
                    02 00 08 00 11 22 33 44 55 66 77 01 03 00 08 50
                    01 40 50 00 00 00 01";
    assert_eq!(page(0x83, &identity, None), hex(captured));
    let grouped = Identity {
        relative_port: 0x102,
        port_group: Some(0x304),
        ..identity
    };
    let data = page(0x83, &grouped, None);
    assert_eq!(
        data[39..55],
        hex("01 14 00 04 00 00 01 02 01 15 00 04 00 00 03 04")
    );
    let only_naa = Identity {
        eui64: &[],
        ..identity
    };
    assert_eq!(
        page(0x83, &only_naa, None)[47..51],
        hex("01 03 00 08"),
        "no stand-in beside an NAA"
    );
}

/// The designators of a page 83h, each as its first two bytes and its contents; panics if they do
/// not fill the page.
fn designators(page: &[u8]) -> Vec<([u8; 2], Vec<u8>)> {
    let len = usize::from(u16::from_be_bytes([page[2], page[3]]));
    let mut rest = &page[4..];
    assert_eq!(rest.len(), len);
    let mut found = Vec::new();
    while let [code_set, kind, _, len, tail @ ..] = rest {
        let (contents, next) = tail.split_at(usize::from(*len));
        found.push(([*code_set, *kind], contents.to_vec()));
        rest = next;
    }
    assert!(rest.is_empty());
    found
}

#[test]
fn names_of_every_length_make_a_well_formed_page() {
    let name = [b'n'; 300];
    for len in 1..name.len() {
        let identity = Identity {
            scsi_device_name: &name[..len],
            vend_specific_id: &name[..len],
            eui64: &[7; 16],
            naa: &[0x60; 16],
            ..disk1()
        };
        let found = designators(&page(0x83, &identity, None));
        let kept = len.min(251);
        let (kind, contents) = &found[0];
        assert_eq!(*kind, [3, 0x28]);
        assert_eq!(contents.len() % 4, 0);
        assert!(contents.len() > kept && contents.len() <= kept + 4);
        assert_eq!(contents[..kept], name[..kept]);
        assert!(contents[kept..].iter().all(|&byte| byte == 0));
        assert_eq!(found[1].1.len(), 8 + len.min(247));
        assert_eq!(found.len(), 5);
    }
}

#[test]
fn a_long_name_is_cut_between_characters() {
    // 250 one-byte characters and then one of three: it does not fit into 251.
    let name = format!("{}\u{20AC}{}", "n".repeat(250), "n".repeat(5));
    let identity = Identity {
        scsi_device_name: name.as_bytes(),
        ..disk1()
    };
    let found = designators(&page(0x83, &identity, None));
    assert_eq!(found[0].1, [vec![b'n'; 250], vec![0; 2]].concat());
}

#[test]
fn a_lun_that_is_not_there() {
    let data = answer(255, no_such_lun);
    assert_eq!(data.len(), 36);
    assert_eq!(usize::from(data[4]), data.len() - 5);
    assert_eq!(
        data[..16],
        hex("7f 00 06 02 1f 00 00 00 53 43 53 54 20 20 20 20")
    );
    assert_eq!(answer(0, no_such_lun), []);
    assert_eq!(answer(5, no_such_lun), hex("7f 00 06 02 1f"));
}
