// SPDX-License-Identifier: GPL-2.0-only

//! Who a device says it is: the strings and identifiers that can be set from outside.

use kernel::prelude::*;
use kernel::sync::Arc;

use scst::device::Create;
use scst::kapi::sysfs::Page;
use scst::proto::id::{self, T10_DEV_ID_MAX};
use scst::proto::text::Text;

use crate::handler::Kind;
use crate::serials::{Serial, Serials};

/// Revision of a new device.
const REVISION: &str = "3110";

/// A string with a bound, and whether somebody has set it.
pub(crate) struct Field<const N: usize> {
    pub(crate) text: Text<N>,
    set: bool,
}

impl<const N: usize> Field<N> {
    /// A default: as much of it as fits.
    fn default_of(text: &str) -> Self {
        let mut field = Self {
            text: Text::new(),
            set: false,
        };
        field.text.push_truncated(text);
        field
    }

    /// Sets it. `EINVAL` for a text that is too long or has control characters.
    pub(crate) fn set(&mut self, text: &str) -> Result {
        self.text = bounded(text)?;
        self.set = true;
        Ok(())
    }

    /// Prints it, with the key where it was set.
    pub(crate) fn show(&self, page: &mut Page<'_>) {
        show(self.text.as_str(), self.set, page);
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// A copy of a text that can be shown on one line. `EINVAL` for any other.
fn bounded<const N: usize>(text: &str) -> Result<Text<N>> {
    if text.chars().any(char::is_control) {
        return Err(EINVAL);
    }
    Text::copy_of(text).map_err(|_| EINVAL)
}

/// A value on a line of its own, and the line that makes it worth saving.
pub(crate) fn show(value: &str, key: bool, page: &mut Page<'_>) {
    page.push(value.as_bytes());
    page.push(if key { b"\n[key]\n" } else { b"\n" });
}

/// Longest binary identifier, in bytes.
const BINARY_MAX: usize = 16;

/// A binary identifier; empty where none is set.
pub(crate) struct Binary {
    bytes: [u8; BINARY_MAX],
    len: usize,
}

impl Binary {
    const NONE: Self = Self {
        bytes: [0; BINARY_MAX],
        len: 0,
    };

    /// Reads hexadecimal digits, with or without `0x`. `EINVAL` for anything else, or for more than fit.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .unwrap_or(text);
        if digits.len() % 2 != 0 {
            return Err(EINVAL);
        }
        let mut binary = Self::NONE;
        for pair in digits.as_bytes().chunks(2) {
            let &[high, low] = pair else {
                return Err(EINVAL);
            };
            let slot = binary.bytes.get_mut(binary.len).ok_or(EINVAL)?;
            *slot = nibble(high)? << 4 | nibble(low)?;
            binary.len = binary.len.saturating_add(1);
        }
        Ok(binary)
    }

    /// Whether this can be an NAA identifier: 8 bytes of type 2, 3 or 5, or 16 of type 6 (SPC-4 7.8.5.6).
    pub(crate) fn is_naa(&self) -> bool {
        let kind = self.bytes().first().map(|b| b >> 4);
        matches!(
            (self.len, kind),
            (0, _) | (8, Some(2 | 3 | 5)) | (16, Some(6))
        )
    }

    /// Whether this can be an EUI-64 based identifier (SPC-4 7.8.5.5).
    pub(crate) fn is_eui64(&self) -> bool {
        matches!(self.len, 0 | 8 | 12 | 16)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Prints it.
    pub(crate) fn show(&self, page: &mut Page<'_>) {
        if self.len > 0 {
            page.push(b"0x");
        }
        for byte in self.bytes() {
            page.print(format_args!("{byte:02x}"));
        }
        page.push(if self.len > 0 { b"\n[key]\n" } else { b"\n" });
    }
}

fn nibble(digit: u8) -> Result<u8> {
    char::from(digit)
        .to_digit(16)
        .map(|n| n as u8)
        .ok_or(EINVAL)
}

/// All of it.
pub(crate) struct Identity {
    /// T10 vendor identification.
    pub(crate) vendor: Field<8>,
    /// Vendor specific identifier in the T10 designator.
    pub(crate) vend_specific_id: Field<128>,
    /// Product identification.
    pub(crate) product: Field<16>,
    /// Product revision level.
    pub(crate) revision: Field<4>,
    /// SCSI name string.
    pub(crate) scsi_device_name: Field<256>,
    /// Device identifier that the defaults of others come from.
    pub(crate) t10_dev_id: Field<T10_DEV_ID_MAX>,
    /// Vendor specific bytes of standard INQUIRY data.
    pub(crate) inq_vend_specific: Field<160>,
    /// NAA identifier.
    pub(crate) naa: Binary,
    /// EUI-64 based identifier.
    pub(crate) eui64: Binary,
    serial: Serial,
    serial_set: bool,
}

impl Identity {
    /// The identity of a new device. `EEXIST` where its serial number is taken.
    pub(crate) fn new(
        kind: Kind,
        request: &Create<'_>,
        t10_dev_id: Option<&Text<T10_DEV_ID_MAX>>,
        serials: &Arc<Serials>,
    ) -> Result<Self> {
        let mut dev_id = Field::default_of(id::t10_dev_id(request.setup_id, request.name).as_str());
        if let Some(given) = t10_dev_id {
            dev_id.set(given.as_str())?;
        }
        Ok(Self {
            vendor: Field::default_of(kind.vendor()),
            vend_specific_id: Field::default_of(dev_id.text.as_str()),
            product: Field::default_of(request.name),
            revision: Field::default_of(REVISION),
            scsi_device_name: Field::default_of(""),
            t10_dev_id: dev_id,
            inq_vend_specific: Field::default_of(""),
            naa: Binary::NONE,
            eui64: Binary::NONE,
            serial: Serial::take(serials, id::usn(request.setup_id, request.name))?,
            serial_set: false,
        })
    }

    /// The unit serial number's bytes.
    pub(crate) fn serial(&self) -> &[u8] {
        self.serial.text().as_bytes()
    }

    /// Prints the unit serial number.
    pub(crate) fn show_serial(&self, page: &mut Page<'_>) {
        show(self.serial.text().as_str(), self.serial_set, page);
    }

    /// Sets the unit serial number. `EEXIST` where another device has it.
    pub(crate) fn set_serial(&mut self, text: &str) -> Result {
        self.serial.change(bounded(text)?)?;
        self.serial_set = true;
        Ok(())
    }
}
