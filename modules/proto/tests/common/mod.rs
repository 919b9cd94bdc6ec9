// SPDX-License-Identifier: GPL-2.0-only
//! What the tests share: bytes written as people write them, and the devices of the captured
//! transcripts.
#![allow(dead_code, unreachable_pub, missing_docs)] // Each test file uses its part.

use proto::device_type::DeviceType;
use proto::inquiry::{BlockLimits, BlockPages, Identity, Tpgs, ROTATION_RATE};
use proto::mode::{ModeDevice, ModeState};
use proto::sense::Sense;

/// The bytes of a hex dump: white space is skipped.
pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("not a byte: {byte}")))
        .collect()
}

/// Sense data in fixed format.
pub fn fixed(sense: Sense) -> Vec<u8> {
    let mut out = [0xEE; 32];
    let len = sense.write_fixed(&mut out);
    out[..len].to_vec()
}

/// What `fill` writes into a buffer of `room` bytes.
pub fn answer(room: usize, fill: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut out = vec![0xEE; room];
    let len = fill(&mut out);
    out.truncate(len);
    out
}

/// The fileio disk of the transcripts, `disk1`, in an installation whose `setup_id` is 10h.
pub fn disk1() -> Identity<'static> {
    Identity {
        device_type: DeviceType::Disk,
        not_connected: false,
        removable: false,
        norm_aca: true,
        third_party_copy: true,
        tpgs: Tpgs::None,
        vendor: b"SCST_FIO",
        product: b"disk1",
        revision: b"3110",
        serial: b"10b8fdbd32",
        t10_dev_id: b"10b8fdbd32-disk1",
        vend_specific_id: b"10b8fdbd32-disk1",
        scsi_device_name: b"",
        eui64: &[],
        naa: &[],
        inq_vend_specific: b"",
        relative_port: 0,
        port_group: None,
        transport_versions: &[0x0BE0],
    }
}

/// The vcdrom of the transcripts, `cd1`.
pub fn cd1() -> Identity<'static> {
    Identity {
        device_type: DeviceType::CdRom,
        removable: true,
        product: b"cd1",
        serial: b"10f5b29776",
        t10_dev_id: b"10f5b29776-cd1",
        vend_specific_id: b"10f5b29776-cd1",
        ..disk1()
    }
}

/// Block pages of a thick, rotating disk with 512-byte blocks.
pub fn thick() -> BlockPages {
    BlockPages {
        limits: BlockLimits {
            max_compare_and_write: 0xFF,
            granularity: 8,
            max_transfer: 0x4000,
            optimal_transfer: 0x400,
            max_write_same: 0x80000,
            wsnz: true,
            unmap: None,
        },
        rotation_rate: ROTATION_RATE,
        provisioning: None,
    }
}

/// Mode parameters of a new device with a write-back cache.
pub const STATE: ModeState = ModeState::new(true, 1);

/// `disk1` as mode pages see it: 64 MiB, 512-byte blocks.
pub fn mode_disk() -> ModeDevice<'static> {
    ModeDevice {
        device_type: DeviceType::Disk,
        block_size: 512,
        blocks: 131_072,
        write_protected: false,
        locked: false,
        wce_changeable: true,
        current: &STATE,
        default: &STATE,
        saved: Some(&STATE),
    }
}

/// `cd1` as mode pages see it: 8192 blocks of 2048 bytes.
pub fn mode_cdrom() -> ModeDevice<'static> {
    ModeDevice {
        device_type: DeviceType::CdRom,
        block_size: 2048,
        blocks: 8192,
        write_protected: true,
        ..mode_disk()
    }
}
