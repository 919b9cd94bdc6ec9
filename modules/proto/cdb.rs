// SPDX-License-Identifier: GPL-2.0-only
//! A CDB becomes a typed command, once.

use super::device_type::DeviceType;
use super::opcode::{Direction, Length, Op, OpDesc};
use super::optable;
use super::sense::Sense;

pub use super::command::{
    Command, Decoded, FormatUnit, ModeSelect, ModeSense, PageControl, ReportOpcodes, Transfer, Unit,
};

/// Parses `cdb`, which may be longer than the command.
///
/// Errors: 20/00 for an opcode that is not in the table; 24/00 at the service action for one that
/// is not; 24/00 with a pointer to the highest bit that must be zero and is not (reserved bits,
/// NACA, protection information, obsolete fields) or at the first missing byte; 24/00 for fields
/// that contradict each other.
#[inline]
pub fn parse(cdb: &[u8]) -> Result<Decoded, Sense> {
    decode(describe(cdb)?, cdb)
}

/// [`parse`], for a device of `device_type`: a command that this type does not have is refused
/// before its fields are looked at, with 20/00 where it has none of the opcode's service actions.
#[inline]
pub fn parse_for(device_type: DeviceType, cdb: &[u8]) -> Result<Decoded, Sense> {
    let op = describe(cdb)?;
    if !op.types.contains(device_type) {
        return Err(foreign(op, device_type));
    }
    decode(op, cdb)
}

/// The sense for a command that devices of `device_type` do not have.
#[cold]
fn foreign(op: &OpDesc, device_type: DeviceType) -> Sense {
    let mut rows = optable::rows_of(op.opcode).iter();
    if rows.any(|row| row.types.contains(device_type)) {
        op.not_supported()
    } else {
        Sense::INVALID_OPCODE
    }
}

/// The description of the command in `cdb`.
fn describe(cdb: &[u8]) -> Result<&'static OpDesc, Sense> {
    let opcode = cdb.first().copied().ok_or(Sense::INVALID_OPCODE)?;
    let byte1 = cdb.get(1).copied().unwrap_or(0);
    match optable::lookup(opcode, byte1) {
        Some(op) => Ok(op),
        None if optable::rows_of(opcode).is_empty() => Err(Sense::INVALID_OPCODE),
        None => Err(Sense::SERVICE_ACTION_NOT_SUPPORTED),
    }
}

fn decode(op: &'static OpDesc, cdb: &[u8]) -> Result<Decoded, Sense> {
    let raw = Raw::load(cdb, op.cdb_len()).ok_or_else(|| missing_byte(cdb))?;
    if raw.0 & op.reserved != 0 {
        return Err(wrong_bits(raw.0 & op.reserved, op.reserved));
    }
    let count = raw.count(op.length);
    let transfer = raw.transfer(op, count);
    // Reads and writes are picked out first, so that nothing is called for them.
    let command = match op.op {
        Op::Read10 | Op::Read16 | Op::Read12 | Op::Read6 => raw.read(op, count),
        Op::Write10 | Op::Write16 | Op::Write12 | Op::Write6 => raw.write(op, count),
        _ => raw.command(op, count)?,
    };
    Ok(Decoded {
        op,
        transfer,
        command,
    })
}

/// The sense for a CDB that ends too early.
#[cold]
fn missing_byte(cdb: &[u8]) -> Sense {
    Sense::invalid_field_in_cdb(u16::try_from(cdb.len()).unwrap_or(0))
}

/// The upper three bits of byte 1, where they have no use: one field, PROTECT or reserved.
const UPPER_OF_BYTE_1: u128 = 0xE0 << 112;

/// The sense for the wrong bits `bits` among the `reserved` ones, byte 0 at the top: points at the highest of them, or of the
/// field that it is in (SPC-4 4.5.2.4.2).
#[cold]
fn wrong_bits(bits: u128, reserved: u128) -> Sense {
    let in_field = bits & UPPER_OF_BYTE_1 != 0 && reserved & UPPER_OF_BYTE_1 == UPPER_OF_BYTE_1;
    let from_top = match in_field {
        true => UPPER_OF_BYTE_1.leading_zeros(),
        false => bits.leading_zeros().min(127),
    };
    let bit = 7_u8.saturating_sub((from_top % 8) as u8);
    Sense::invalid_field_in_cdb_bit((from_top / 8) as u16, bit)
}

/// A CDB of at most 16 bytes as one number, byte 0 at the top and zeroes behind the end.
#[derive(Clone, Copy)]
struct Raw(u128);

impl Raw {
    #[inline]
    fn load(cdb: &[u8], len: usize) -> Option<Self> {
        match len {
            6 => {
                let &[a, b, c, d, e, f] = cdb.first_chunk()?;
                Some(Self::from_halves(&[a, b, c, d, e, f, 0, 0], &[0; 8]))
            }
            10 => {
                let (head, tail) = cdb.split_first_chunk()?;
                let &[a, b] = tail.first_chunk()?;
                Some(Self::from_halves(head, &[a, b, 0, 0, 0, 0, 0, 0]))
            }
            12 => {
                let (head, tail) = cdb.split_first_chunk()?;
                let &[a, b, c, d] = tail.first_chunk()?;
                Some(Self::from_halves(head, &[a, b, c, d, 0, 0, 0, 0]))
            }
            16 => {
                let (head, tail) = cdb.split_first_chunk()?;
                Some(Self::from_halves(head, tail.first_chunk()?))
            }
            _ => None,
        }
    }

    /// Two registers' worth; putting the bytes together in memory first would stall the read that follows.
    #[inline]
    const fn from_halves(head: &[u8; 8], tail: &[u8; 8]) -> Self {
        Self(((u64::from_be_bytes(*head) as u128) << 64) | u64::from_be_bytes(*tail) as u128)
    }

    /// The big-endian field of `width` bytes (1 to 8) at byte `at`.
    #[inline]
    const fn field(self, at: u32, width: u32) -> u64 {
        let below = 128_u32.wrapping_sub(at.wrapping_add(width).wrapping_mul(8));
        let mask = u64::MAX.wrapping_shr(64_u32.wrapping_sub(width.wrapping_mul(8)));
        // The mask is at most 64 bits wide, so the cast loses nothing that it keeps.
        self.0.wrapping_shr(below) as u64 & mask
    }

    #[inline]
    const fn byte(self, at: u32) -> u8 {
        self.field(at, 1) as u8
    }

    #[inline]
    const fn u16(self, at: u32) -> u16 {
        self.field(at, 2) as u16
    }

    #[inline]
    const fn bit(self, at: u32, bit: u32) -> bool {
        self.byte(at) & 1_u8.wrapping_shl(bit) != 0
    }

    /// The field that `length` names, or what stands for it.
    #[inline]
    const fn count(self, length: Length) -> u32 {
        match length {
            Length::Blocks { at, width }
            | Length::Bytes { at, width }
            | Length::BlocksIfBytchk { at, width }
            | Length::OneBlock { at, width } => self.field(at, width) as u32,
            Length::Blocks6 => match self.byte(4) {
                0 => 256,
                blocks => blocks as u32,
            },
            Length::TwiceBlocks13 => self.byte(13) as u32,
            Length::Fixed(bytes) => bytes,
            Length::Zero => 0,
            Length::FormatHeader => match (self.bit(1, 4), self.bit(1, 5)) {
                (false, _) => 0,
                (true, false) => 4,
                (true, true) => 8,
            },
        }
    }

    /// What a command transfers whose length field holds `count`.
    #[inline]
    fn transfer(self, op: &OpDesc, count: u32) -> Transfer {
        let (count, unit) = match op.length {
            Length::Blocks { .. } | Length::Blocks6 => (count, Unit::Blocks),
            Length::Zero | Length::Fixed(_) | Length::Bytes { .. } | Length::FormatHeader => {
                (count, Unit::Bytes)
            }
            Length::TwiceBlocks13 => (count.saturating_mul(2), Unit::Blocks),
            Length::BlocksIfBytchk { .. } => (if self.bit(1, 1) { count } else { 0 }, Unit::Blocks),
            Length::OneBlock { .. } => (u32::from(!self.bit(1, 0)), Unit::Blocks),
        };
        Transfer {
            direction: if count == 0 {
                Direction::None
            } else {
                op.direction
            },
            count,
            unit,
        }
    }

    /// The logical block address, whose place depends on the CDB's length.
    #[inline]
    const fn lba(self, cdb_len: usize) -> u64 {
        match cdb_len {
            6 => self.field(1, 3) & 0x1F_FFFF,
            16 => self.field(2, 8),
            _ => self.field(2, 4),
        }
    }

    /// DPO and FUA; in the 6-byte forms these bits belong to the address.
    #[inline]
    const fn cache_bits(self, op: &OpDesc) -> (bool, bool) {
        let long = op.cdb_len() > 6;
        (long && self.bit(1, 4), long && self.bit(1, 3))
    }

    #[inline]
    const fn read(self, op: &OpDesc, blocks: u32) -> Command {
        let (dpo, fua) = self.cache_bits(op);
        Command::Read {
            lba: self.lba(op.cdb_len()),
            blocks,
            fua,
            dpo,
        }
    }

    #[inline]
    const fn write(self, op: &OpDesc, blocks: u32) -> Command {
        let (dpo, fua) = self.cache_bits(op);
        Command::Write {
            lba: self.lba(op.cdb_len()),
            blocks,
            fua,
            dpo,
        }
    }

    /// Any command.
    #[inline(never)]
    fn command(self, op: &OpDesc, count: u32) -> Result<Command, Sense> {
        let lba = self.lba(op.cdb_len());
        let immed = self.bit(1, 1);
        let compare = self.bit(1, 1);
        Ok(match op.op {
            Op::TestUnitReady => Command::TestUnitReady,
            Op::RequestSense => Command::RequestSense {
                desc: self.bit(1, 0),
                alloc_len: count,
            },
            Op::Inquiry => self.inquiry(count)?,
            Op::ReadCapacity10 => {
                self.check_pmi(lba, 8)?;
                Command::ReadCapacity10
            }
            Op::ReadCapacity16 => {
                self.check_pmi(lba, 14)?;
                Command::ReadCapacity16 { alloc_len: count }
            }
            Op::WriteAndVerify10 | Op::WriteAndVerify12 | Op::WriteAndVerify16 => {
                Command::WriteAndVerify {
                    lba,
                    blocks: count,
                    compare,
                }
            }
            Op::Verify10 | Op::Verify12 | Op::Verify16 => Command::Verify {
                lba,
                blocks: count,
                compare,
            },
            Op::SynchronizeCache10 => Command::SynchronizeCache {
                lba,
                blocks: self.field(7, 2) as u32,
                immed,
            },
            Op::SynchronizeCache16 => Command::SynchronizeCache {
                lba,
                blocks: self.field(10, 4) as u32,
                immed,
            },
            Op::WriteSame10 | Op::WriteSame16 => Command::WriteSame {
                lba,
                blocks: count,
                unmap: self.bit(1, 3),
                ndob: self.bit(1, 0),
            },
            Op::CompareAndWrite => Command::CompareAndWrite {
                lba,
                blocks: count,
                fua: self.bit(1, 3),
                dpo: self.bit(1, 4),
            },
            Op::Unmap => Command::Unmap { list_len: count },
            Op::GetLbaStatus => Command::GetLbaStatus {
                lba,
                alloc_len: count,
            },
            Op::FormatUnit => Command::FormatUnit(FormatUnit {
                pinfo: self.byte(1) >> 6,
                long_list: self.bit(1, 5),
                data: self.bit(1, 4),
                complete_list: self.bit(1, 3),
                list_format: self.byte(1) & 0x07,
            }),
            Op::ModeSense6 => self.mode_sense(false, count),
            Op::ModeSense10 => self.mode_sense(true, count),
            Op::ModeSelect6 => self.mode_select(false, count),
            Op::ModeSelect10 => self.mode_select(true, count),
            Op::LogSense => Command::LogSense {
                save: self.bit(1, 0),
                control: self.byte(2) >> 6,
                page: self.byte(2) & 0x3F,
                subpage: self.byte(3),
                pointer: self.u16(5),
                alloc_len: count,
            },
            Op::LogSelect => Command::LogSelect {
                reset: self.bit(1, 1),
                save: self.bit(1, 0),
                control: self.byte(2) >> 6,
                page: self.byte(2) & 0x3F,
                subpage: self.byte(3),
                list_len: count,
            },
            Op::StartStopUnit => Command::StartStopUnit {
                immed: self.bit(1, 0),
                power: self.byte(4) >> 4,
                no_flush: self.bit(4, 2),
                loej: self.bit(4, 1),
                start: self.bit(4, 0),
            },
            Op::PreventAllow => Command::PreventAllow {
                prevent: self.byte(4) & 0x03,
            },
            Op::SendDiagnostic => Command::SendDiagnostic {
                self_test_code: self.byte(1) >> 5,
                pf: self.bit(1, 4),
                self_test: self.bit(1, 2),
                list_len: count,
            },
            Op::Reserve6 | Op::Reserve10 => Command::Reserve,
            Op::Release6 | Op::Release10 => Command::Release,
            Op::ReportLuns => Command::ReportLuns {
                select: self.byte(2),
                alloc_len: count,
            },
            Op::ReportSupportedOpcodes => Command::ReportOpcodes(ReportOpcodes {
                rctd: self.bit(2, 7),
                options: self.byte(2) & 0x07,
                opcode: self.byte(3),
                service_action: self.u16(4),
                alloc_len: count,
            }),
            Op::ReportSupportedTmFunctions => Command::ReportTmFunctions {
                repd: self.bit(2, 7),
                alloc_len: count,
            },
            Op::ReportTargetPortGroups => Command::ReportTargetPortGroups {
                format: self.byte(1) >> 5,
                alloc_len: count,
            },
            Op::SetTargetPortGroups => Command::SetTargetPortGroups { list_len: count },
            Op::ReadToc => Command::ReadToc {
                msf: self.bit(1, 1),
                format: match self.byte(2) & 0x0F {
                    0 => self.byte(9) >> 6,
                    format => format,
                },
                track: self.byte(6),
                alloc_len: count,
            },
            Op::ReadDiscInformation => Command::ReadDiscInformation {
                data_type: self.byte(1) & 0x07,
                alloc_len: count,
            },
            Op::ReadTrackInformation => Command::ReadTrackInformation {
                kind: self.byte(1) & 0x03,
                address: self.field(2, 4) as u32,
                alloc_len: count,
            },
            Op::GetConfiguration => Command::GetConfiguration {
                request: self.byte(1) & 0x03,
                feature: self.u16(2),
                alloc_len: count,
            },
            Op::GetEventStatus => Command::GetEventStatus {
                polled: self.bit(1, 0),
                classes: self.byte(4),
                alloc_len: count,
            },
            Op::PrReadKeys
            | Op::PrReadReservation
            | Op::PrReportCapabilities
            | Op::PrReadFullStatus => Command::PersistentReserveIn {
                action: self.byte(1) & 0x1F,
                alloc_len: count,
            },
            Op::PrRegister
            | Op::PrReserve
            | Op::PrRelease
            | Op::PrClear
            | Op::PrPreempt
            | Op::PrPreemptAndAbort
            | Op::PrRegisterAndIgnore
            | Op::PrRegisterAndMove => Command::PersistentReserveOut {
                action: self.byte(1) & 0x1F,
                scope: self.byte(2) >> 4,
                kind: self.byte(2) & 0x0F,
                list_len: count,
            },
            Op::Read6 | Op::Read10 | Op::Read12 | Op::Read16 => self.read(op, count),
            Op::Write6 | Op::Write10 | Op::Write12 | Op::Write16 => self.write(op, count),
        })
    }

    fn inquiry(self, alloc_len: u32) -> Result<Command, Sense> {
        let (evpd, page) = (self.bit(1, 0), self.byte(2));
        if !evpd && page != 0 {
            return Err(Sense::invalid_field_in_cdb(2));
        }
        Ok(Command::Inquiry {
            evpd,
            page,
            alloc_len,
        })
    }

    /// Without PMI, in byte `at`, READ CAPACITY must not name a block (SBC-2 5.10).
    fn check_pmi(self, lba: u64, at: u32) -> Result<(), Sense> {
        if lba != 0 && !self.bit(at, 0) {
            return Err(Sense::invalid_field_in_cdb(2));
        }
        Ok(())
    }

    fn mode_sense(self, ten: bool, alloc_len: u32) -> Command {
        Command::ModeSense(ModeSense {
            ten,
            dbd: self.bit(1, 3),
            control: match self.byte(2) >> 6 {
                0 => PageControl::Current,
                1 => PageControl::Changeable,
                2 => PageControl::Default,
                _ => PageControl::Saved,
            },
            page: self.byte(2) & 0x3F,
            subpage: self.byte(3),
            alloc_len,
        })
    }

    fn mode_select(self, ten: bool, list_len: u32) -> Command {
        Command::ModeSelect(ModeSelect {
            ten,
            pf: self.bit(1, 4),
            sp: self.bit(1, 0),
            list_len,
        })
    }
}
