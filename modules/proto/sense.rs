// SPDX-License-Identifier: GPL-2.0-only
//! Sense data: what went wrong, as SPC-4 4.5 writes it.

use super::writer::Writer;

/// The coarse kind of trouble (SPC-4 table 48).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenseKey {
    /// Nothing to report.
    NoSense = 0x0,
    /// Done, with some recovery.
    RecoveredError = 0x1,
    /// The logical unit cannot be accessed.
    NotReady = 0x2,
    /// A flaw of the medium or of what was recorded on it.
    MediumError = 0x3,
    /// A failure of the device itself.
    HardwareError = 0x4,
    /// The CDB or its parameter data is wrong.
    IllegalRequest = 0x5,
    /// Something happened that this initiator must know of.
    UnitAttention = 0x6,
    /// The block is protected against what was asked.
    DataProtect = 0x7,
    /// Blank or unexpected medium.
    BlankCheck = 0x8,
    /// Vendor specific.
    VendorSpecific = 0x9,
    /// A third-party copy was aborted.
    CopyAborted = 0xA,
    /// The device aborted the command; trying again may help.
    AbortedCommand = 0xB,
    /// The medium is full with data still buffered.
    VolumeOverflow = 0xD,
    /// The data sent differs from the data on the medium.
    Miscompare = 0xE,
    /// The command has completed, with information.
    Completed = 0xF,
}

impl SenseKey {
    /// The key with this four-bit code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x0 => Self::NoSense,
            0x1 => Self::RecoveredError,
            0x2 => Self::NotReady,
            0x3 => Self::MediumError,
            0x4 => Self::HardwareError,
            0x5 => Self::IllegalRequest,
            0x6 => Self::UnitAttention,
            0x7 => Self::DataProtect,
            0x8 => Self::BlankCheck,
            0x9 => Self::VendorSpecific,
            0xA => Self::CopyAborted,
            0xB => Self::AbortedCommand,
            0xD => Self::VolumeOverflow,
            0xE => Self::Miscompare,
            0xF => Self::Completed,
            _ => return None,
        })
    }
}

/// Where a wrong field begins (SPC-4 4.5.2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldIn {
    /// In the CDB.
    Cdb,
    /// In the parameter list of the Data-Out Buffer.
    ParameterList,
}

/// The sense-key specific bytes (SPC-4 4.5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specific {
    /// Not valid.
    None,
    /// Points at the wrong field.
    Field {
        /// CDB or parameter list.
        place: FieldIn,
        /// Offset of the field's first byte.
        byte: u16,
        /// Number of the field's most significant bit, 0 to 7, if named.
        bit: Option<u8>,
    },
    /// Progress of a long operation in 65536ths.
    Progress(u16),
}

/// One piece of sense data, in no particular format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: SenseKey,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
    /// Sense-key specific bytes.
    pub specific: Specific,
    /// INFORMATION field, for instance the first differing byte of a comparison or the failed LBA.
    pub information: Option<u64>,
}

/// Length of fixed-format sense data as this stack sends it, in bytes.
pub const FIXED_LEN: usize = 18;

/// Length of the longest descriptor-format sense data this stack sends, in bytes.
pub const DESCRIPTOR_MAX_LEN: usize = 8 + 12 + 8;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $key:ident / $asc:literal / $ascq:literal;)*) => {
        impl Sense {
            $($(#[$doc])* pub const $name: Self = Self::new(SenseKey::$key, $asc, $ascq);)*
        }

        /// Every named code, for tests and documentation.
        pub const NAMED: &[(&str, Sense)] = &[$((stringify!($name), Sense::$name)),*];
    };
}

codes! {
    /// Nothing to report.
    NO_SENSE = NoSense / 0x00 / 0x00;
    /// The unit is not ready, for no stated cause.
    NOT_READY = NotReady / 0x04 / 0x00;
    /// The unit is becoming ready.
    BECOMING_READY = NotReady / 0x04 / 0x01;
    /// The unit waits until somebody at it does something.
    MANUAL_INTERVENTION_REQUIRED = NotReady / 0x04 / 0x03;
    /// FORMAT UNIT is running.
    FORMAT_IN_PROGRESS = NotReady / 0x04 / 0x04;
    /// The access state of the target port is changing.
    ALUA_TRANSITION = NotReady / 0x04 / 0x0A;
    /// The target port is in the standby state.
    ALUA_STANDBY = NotReady / 0x04 / 0x0B;
    /// The target port is in the unavailable state.
    ALUA_UNAVAILABLE = NotReady / 0x04 / 0x0C;
    /// No medium in the drive.
    MEDIUM_NOT_PRESENT = NotReady / 0x3A / 0x00;
    /// No medium in the drive, whose tray is out.
    TRAY_OPEN = NotReady / 0x3A / 0x02;
    /// Writing to the backing store failed.
    WRITE_ERROR = MediumError / 0x03 / 0x00;
    /// Reading from the backing store failed.
    READ_ERROR = MediumError / 0x11 / 0x00;
    /// FORMAT UNIT did not get to its end.
    FORMAT_FAILED = MediumError / 0x31 / 0x01;
    /// Trouble inside the target.
    INTERNAL_TARGET_FAILURE = HardwareError / 0x44 / 0x00;
    /// SET TARGET PORT GROUPS found nobody to carry it out.
    SET_TARGET_PORT_GROUPS_FAILED = HardwareError / 0x67 / 0x0A;
    /// The parameter list is cut short.
    PARAMETER_LIST_LENGTH_ERROR = IllegalRequest / 0x1A / 0x00;
    /// No such command.
    INVALID_OPCODE = IllegalRequest / 0x20 / 0x00;
    /// The range of blocks reaches past the medium.
    LBA_OUT_OF_RANGE = IllegalRequest / 0x21 / 0x00;
    /// A field of the CDB, without saying which.
    INVALID_FIELD_IN_CDB = IllegalRequest / 0x24 / 0x00;
    /// No such logical unit.
    LUN_NOT_SUPPORTED = IllegalRequest / 0x25 / 0x00;
    /// A field of the parameter list, without saying which.
    INVALID_FIELD_IN_PARAMETER_LIST = IllegalRequest / 0x26 / 0x00;
    /// The release names a reservation of another kind.
    INVALID_RELEASE = IllegalRequest / 0x26 / 0x04;
    /// The parameters cannot be saved.
    SAVING_NOT_SUPPORTED = IllegalRequest / 0x39 / 0x00;
    /// The initiator's data direction contradicts the command.
    DATA_PHASE_ERROR = IllegalRequest / 0x49 / 0x00;
    /// Removal of the medium is prevented.
    MEDIUM_REMOVAL_PREVENTED = IllegalRequest / 0x53 / 0x02;
    /// No room for another registration.
    INSUFFICIENT_REGISTRATION_RESOURCES = IllegalRequest / 0x55 / 0x04;
    /// The logical unit or the device may not be written.
    WRITE_PROTECTED = DataProtect / 0x27 / 0x00;
    /// The Control mode page's SWP bit forbids writing.
    SOFTWARE_WRITE_PROTECTED = DataProtect / 0x27 / 0x02;
    /// A thin device has no room left.
    SPACE_ALLOCATION_FAILED = DataProtect / 0x27 / 0x07;
    /// The data sent differs from the data on the medium.
    MISCOMPARE = Miscompare / 0x1D / 0x00;
    /// The medium may have changed.
    MEDIUM_CHANGED = UnitAttention / 0x28 / 0x00;
    /// Power on or reset.
    POWER_ON_RESET = UnitAttention / 0x29 / 0x00;
    /// The nexus was lost.
    NEXUS_LOSS = UnitAttention / 0x29 / 0x07;
    /// Mode parameters were changed by another nexus.
    MODE_PARAMETERS_CHANGED = UnitAttention / 0x2A / 0x01;
    /// Log parameters were changed by another nexus.
    LOG_PARAMETERS_CHANGED = UnitAttention / 0x2A / 0x02;
    /// Reservations were preempted.
    RESERVATIONS_PREEMPTED = UnitAttention / 0x2A / 0x03;
    /// Reservations were released.
    RESERVATIONS_RELEASED = UnitAttention / 0x2A / 0x04;
    /// Registrations were preempted.
    REGISTRATIONS_PREEMPTED = UnitAttention / 0x2A / 0x05;
    /// The access state of a target port group changed.
    ALUA_STATE_CHANGED = UnitAttention / 0x2A / 0x06;
    /// The capacity changed.
    CAPACITY_CHANGED = UnitAttention / 0x2A / 0x09;
    /// Commands of this nexus were aborted by another one.
    COMMANDS_CLEARED_BY_ANOTHER = UnitAttention / 0x2F / 0x00;
    /// A thin device's soft threshold was reached.
    THIN_THRESHOLD_REACHED = UnitAttention / 0x38 / 0x07;
    /// INQUIRY data changed.
    INQUIRY_DATA_CHANGED = UnitAttention / 0x3F / 0x03;
    /// The list of logical units changed.
    REPORTED_LUNS_CHANGED = UnitAttention / 0x3F / 0x0E;
}

impl Sense {
    /// The opcode has no such service action: 24/00 at the service action field.
    pub const SERVICE_ACTION_NOT_SUPPORTED: Self = Self::invalid_field_in_cdb_bit(1, 4);

    /// Sense data of a key and a code, with nothing more.
    pub const fn new(key: SenseKey, asc: u8, ascq: u8) -> Self {
        Self {
            key,
            asc,
            ascq,
            specific: Specific::None,
            information: None,
        }
    }

    /// FORMAT UNIT is running, and has come so many 65536ths of its way.
    pub const fn formatting(progress: u16) -> Self {
        Self {
            specific: Specific::Progress(progress),
            ..Self::FORMAT_IN_PROGRESS
        }
    }

    /// INVALID FIELD IN CDB: the field that begins at `byte`.
    pub const fn invalid_field_in_cdb(byte: u16) -> Self {
        Self::INVALID_FIELD_IN_CDB.pointing(FieldIn::Cdb, byte, None)
    }

    /// INVALID FIELD IN CDB: the field whose most significant bit is `bit` of `byte`.
    pub const fn invalid_field_in_cdb_bit(byte: u16, bit: u8) -> Self {
        Self::INVALID_FIELD_IN_CDB.pointing(FieldIn::Cdb, byte, Some(bit))
    }

    /// INVALID FIELD IN PARAMETER LIST: the field that begins at `byte`.
    pub const fn invalid_field_in_parameter_list(byte: u16) -> Self {
        Self::INVALID_FIELD_IN_PARAMETER_LIST.pointing(FieldIn::ParameterList, byte, None)
    }

    /// INVALID FIELD IN PARAMETER LIST: the field whose most significant bit is `bit` of `byte`.
    pub const fn invalid_field_in_parameter_list_bit(byte: u16, bit: u8) -> Self {
        Self::INVALID_FIELD_IN_PARAMETER_LIST.pointing(FieldIn::ParameterList, byte, Some(bit))
    }

    /// The same sense data with an INFORMATION field.
    pub const fn with_information(mut self, information: u64) -> Self {
        self.information = Some(information);
        self
    }

    /// The same sense data with a progress indication in 65536ths.
    pub const fn with_progress(mut self, progress: u16) -> Self {
        self.specific = Specific::Progress(progress);
        self
    }

    const fn pointing(mut self, place: FieldIn, byte: u16, bit: Option<u8>) -> Self {
        self.specific = Specific::Field { place, byte, bit };
        self
    }

    /// Writes descriptor format (72h) if `descriptor` (the Control mode page's D_SENSE), else fixed
    /// format (70h). Returns how many bytes of `out` hold it.
    pub fn write(&self, descriptor: bool, out: &mut [u8]) -> usize {
        if descriptor {
            self.write_descriptor(out)
        } else {
            self.write_fixed(out)
        }
    }

    /// Writes fixed format (SPC-4 4.5.3), cut to the buffer. Returns how many bytes of `out` hold
    /// it (at most 18).
    ///
    /// An INFORMATION value above 32 bits does not fit the format and is left out with VALID 0.
    pub fn write_fixed(&self, out: &mut [u8]) -> usize {
        let information = self.information.and_then(|value| u32::try_from(value).ok());
        let mut w = Writer::new(out);
        w.u8(0x70 | (u8::from(information.is_some()) << 7));
        w.u8(0);
        w.u8(self.key as u8);
        w.u32(information.unwrap_or(0));
        w.u8(0x0A);
        w.u32(0);
        w.bytes(&[self.asc, self.ascq, 0]);
        w.bytes(&self.specific.encode());
        w.stored()
    }

    /// Writes descriptor format (SPC-4 4.5.2), cut to the buffer. Returns how many bytes of `out`
    /// hold it.
    pub fn write_descriptor(&self, out: &mut [u8]) -> usize {
        let has_specific = self.specific != Specific::None;
        let information_len = if self.information.is_some() { 12 } else { 0 };
        let specific_len = if has_specific { 8 } else { 0 };
        let mut w = Writer::new(out);
        w.bytes(&[0x72, self.key as u8, self.asc, self.ascq, 0, 0, 0]);
        w.u8(information_len + specific_len);
        if let Some(information) = self.information {
            w.bytes(&[0x00, 0x0A, 0x80, 0]);
            w.u64(information);
        }
        if has_specific {
            w.bytes(&[0x02, 0x06, 0, 0]);
            w.bytes(&self.specific.encode());
            w.u8(0);
        }
        w.stored()
    }

    /// Reads sense data of either format, current or deferred; `None` if it is neither or too short
    /// to hold a code.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? & 0x7F {
            0x70 | 0x71 => Self::parse_fixed(bytes),
            0x72 | 0x73 => Self::parse_descriptor(bytes),
            _ => None,
        }
    }

    fn parse_fixed(bytes: &[u8]) -> Option<Self> {
        let [code, _, key, information @ .., _, _, _, _, _, asc, ascq] =
            *bytes.first_chunk::<14>()?;
        let [a, b, c, d] = information;
        let valid = code & 0x80 != 0;
        let key = SenseKey::from_code(key & 0x0F)?;
        Some(Self {
            key,
            asc,
            ascq,
            specific: bytes
                .get(15..18)
                .map_or(Specific::None, |specific| Specific::parse(key, specific)),
            information: valid.then_some(u64::from(u32::from_be_bytes([a, b, c, d]))),
        })
    }

    fn parse_descriptor(bytes: &[u8]) -> Option<Self> {
        let (&[_, key, asc, ascq, _, _, _, additional], rest) = bytes.split_first_chunk::<8>()?;
        let mut sense = Self::new(SenseKey::from_code(key & 0x0F)?, asc, ascq);
        let mut rest = rest.get(..usize::from(additional)).unwrap_or(rest);
        while let Some((&[kind, len], tail)) = rest.split_first_chunk::<2>() {
            let Some((body, next)) = tail.split_at_checked(usize::from(len)) else {
                break;
            };
            sense.read_descriptor(kind, body);
            rest = next;
        }
        Some(sense)
    }

    fn read_descriptor(&mut self, kind: u8, body: &[u8]) {
        match (kind, body) {
            (0x00, &[valid, _, ref information @ ..]) if valid & 0x80 != 0 => {
                self.information = information.first_chunk().copied().map(u64::from_be_bytes);
            }
            (0x02, &[_, _, ref specific @ ..]) => {
                self.specific = Specific::parse(self.key, specific);
            }
            _ => {}
        }
    }
}

impl Specific {
    /// The three sense-key specific bytes (SPC-4 table 52).
    fn encode(self) -> [u8; 3] {
        match self {
            Self::None => [0; 3],
            Self::Field { place, byte, bit } => {
                let in_cdb = if place == FieldIn::Cdb { 0x40 } else { 0 };
                let bit = bit.map_or(0, |bit| 0x08 | (bit & 7));
                let [high, low] = byte.to_be_bytes();
                [0x80 | in_cdb | bit, high, low]
            }
            Self::Progress(progress) => {
                let [high, low] = progress.to_be_bytes();
                [0x80, high, low]
            }
        }
    }

    /// Reads the sense-key specific bytes of sense data with this key.
    fn parse(key: SenseKey, bytes: &[u8]) -> Self {
        let &[head, high, low, ..] = bytes else {
            return Self::None;
        };
        let value = u16::from_be_bytes([high, low]);
        match key {
            _ if head & 0x80 == 0 => Self::None,
            SenseKey::IllegalRequest => Self::Field {
                place: if head & 0x40 != 0 {
                    FieldIn::Cdb
                } else {
                    FieldIn::ParameterList
                },
                byte: value,
                bit: (head & 0x08 != 0).then_some(head & 0x07),
            },
            SenseKey::NoSense | SenseKey::NotReady => Self::Progress(value),
            _ => Self::None,
        }
    }
}
