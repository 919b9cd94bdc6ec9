// SPDX-License-Identifier: GPL-2.0-only
//! TransportIDs (SPC-4 7.6.4): who an initiator port is to persistent reservations.

/// Bytes of the longest TransportID: a header and an iSCSI name with its session identifier, padded.
pub const MAX_LEN: usize = 248;

/// Bytes of a TransportID of every protocol but iSCSI, and of the shortest one there.
pub const LEN: usize = 24;

/// Protocol identifier of iSCSI, whose TransportIDs alone say how long they are.
const ISCSI: u8 = 5;

/// Bytes of the longest iSCSI name (RFC 7143 4.2.7.2).
const ISCSI_NAME_MAX: usize = 223;

/// What separates an iSCSI name from its session identifier.
const ISID: &[u8] = b",i,0x";

/// Not a TransportID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTransportId;

/// A TransportID: 24 bytes, or what an iSCSI one says of itself.
#[derive(Clone)]
pub struct TransportId {
    bytes: [u8; MAX_LEN],
    len: u8,
}

impl TransportId {
    /// Nobody's: a place holder in tables.
    pub const NONE: Self = Self {
        bytes: [0; MAX_LEN],
        len: LEN as u8,
    };

    /// The TransportID at the start of `bytes`, checked as parameter data of a command is: the protocol must have
    /// TransportIDs, and the format be one of the protocol's.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoTransportId> {
        let first = bytes.first().copied().ok_or(NoTransportId)?;
        let id = Self::stored(bytes)?;
        let (format, reserved, protocol) = (first >> 6, first & 0x30, first & 0x0F);
        let valid = match protocol {
            // Fibre Channel, parallel SCSI, IEEE 1394, RDMA, SAS, PCI Express.
            0 | 1 | 3 | 4 | 6 | 0x0A => format == 0,
            ISCSI => id.names_an_iscsi_port(format),
            _ => false,
        };
        if valid && reserved == 0 {
            Ok(id)
        } else {
            Err(NoTransportId)
        }
    }

    /// The TransportID at the start of `bytes`, of which only the length is checked: 24, or what an iSCSI header says.
    pub fn stored(bytes: &[u8]) -> Result<Self, NoTransportId> {
        let len = match bytes {
            [first, _, high, low, ..] if first & 0x0F == ISCSI => {
                let names = usize::from(u16::from_be_bytes([*high, *low]));
                if names < 20 || names % 4 != 0 {
                    return Err(NoTransportId);
                }
                names.saturating_add(4)
            }
            _ => LEN,
        };
        let from = bytes.get(..len).ok_or(NoTransportId)?;
        let mut id = Self::NONE;
        id.fill(from)?;
        Ok(id)
    }

    /// What somebody wrote for a session, which need not follow the standard: short ones end in zeroes. Refused are those
    /// whose length a file of reservations could not tell.
    pub fn of_session(bytes: &[u8]) -> Result<Self, NoTransportId> {
        if bytes.is_empty() {
            return Err(NoTransportId);
        }
        if bytes.len() >= LEN {
            let id = Self::stored(bytes)?;
            return if id.as_bytes().len() == bytes.len() {
                Ok(id)
            } else {
                Err(NoTransportId)
            };
        }
        let mut padded = [0; LEN];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self::stored(&padded)
    }

    fn fill(&mut self, from: &[u8]) -> Result<(), NoTransportId> {
        self.len = u8::try_from(from.len()).map_err(|_| NoTransportId)?;
        if from.len() > MAX_LEN {
            return Err(NoTransportId);
        }
        for (to, from) in self.bytes.iter_mut().zip(from) {
            *to = *from;
        }
        Ok(())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// It stands for an iSCSI node with whatever session, not for one initiator port.
    pub fn is_any_port(&self) -> bool {
        let first = self.bytes.first().copied().unwrap_or(0);
        first & 0x0F == ISCSI && first >> 6 == 0
    }

    /// A name, alone (format 0) or with the identifier of a session (format 1), ended by zeroes.
    fn names_an_iscsi_port(&self, format: u8) -> bool {
        let field = self.as_bytes().get(4..).unwrap_or(&[]);
        let Some(end) = field.iter().position(|byte| *byte == 0) else {
            return false;
        };
        let (text, padding) = field.split_at_checked(end).unwrap_or((&[], &[]));
        let name_len = text
            .windows(ISID.len())
            .position(|w| w == ISID)
            .unwrap_or(text.len());
        let name = text.get(..name_len).unwrap_or(&[]);
        let session = text
            .get(name_len..)
            .and_then(|rest| rest.strip_prefix(ISID));
        let session_fits = match (format, session) {
            (0, None) => true,
            (1, Some(digits)) => {
                matches!(digits.len(), 1..=12) && digits.iter().all(u8::is_ascii_hexdigit)
            }
            _ => false,
        };
        let begins = [b"iqn.", b"eui.", b"naa."]
            .iter()
            .any(|kind| name.starts_with(*kind));
        session_fits
            && begins
            && name.len() <= ISCSI_NAME_MAX
            && padding.iter().all(|byte| *byte == 0)
            && name.iter().all(|byte| *byte > 0x20 && *byte != 0x7F)
    }
}

impl PartialEq for TransportId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for TransportId {}

impl core::fmt::Debug for TransportId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
