// SPDX-License-Identifier: GPL-2.0-only

//! The parameters of `add_device`.

use kernel::prelude::*;
use kernel::str::{CStr, CString};

use scst::kapi::file::Access;
use scst::proto::id::T10_DEV_ID_MAX;
use scst::proto::mgmt::{self, Segments};
use scst::proto::text::Text;

use crate::handler::Kind;

/// Smallest and largest logical block, in bytes.
const BLOCK_MIN: u64 = 512;
const BLOCK_MAX: u64 = 64 * 1024;

/// What was asked for, or the defaults.
pub(crate) struct Params {
    filename: Option<CString>,
    /// log2 of the bytes of a logical block.
    pub(crate) block_shift: u32,
    /// Writes are refused.
    pub(crate) read_only: bool,
    /// Writes end on stable storage.
    pub(crate) write_through: bool,
    /// What was written survives a loss of power by itself.
    pub(crate) nv_cache: bool,
    /// RMB.
    pub(crate) removable: bool,
    /// Not solid state.
    pub(crate) rotational: bool,
    /// Task set type, 0 or 1.
    pub(crate) tst: u8,
    /// Bytes of the medium.
    pub(crate) size: Option<u64>,
    /// Name in the T10 designator.
    pub(crate) t10_dev_id: Option<Text<T10_DEV_ID_MAX>>,
}

impl Params {
    const DEFAULT: Self = Self {
        filename: None,
        block_shift: 9,
        read_only: false,
        write_through: false,
        nv_cache: false,
        removable: false,
        rotational: true,
        tst: 1,
        size: None,
        t10_dev_id: None,
    };

    /// Reads `name=value` pairs from left to right. `EINVAL` for a parameter that `kind` does not have, for a value that
    /// is missing, cannot be, or has something behind it, and for parameters that exclude each other.
    pub(crate) fn parse(kind: Kind, segments: Segments<'_>) -> Result<Self> {
        let mut params = Self::DEFAULT;
        for segment in segments {
            let mut words = mgmt::words(segment);
            let name = words.required().map_err(errno)?;
            let value = words.required().map_err(errno)?;
            words.end().map_err(errno)?;
            let known = kind
                .parameters()
                .split(", ")
                .find(|known| mgmt::is(name, known))
                .ok_or(EINVAL)?;
            params.set(known, value)?;
        }
        params.check(kind)?;
        Ok(params)
    }

    fn set(&mut self, name: &str, value: &str) -> Result {
        match name {
            "filename" => self.set_filename(value)?,
            "blocksize" => self.block_shift = block_shift(value)?,
            "read_only" => self.read_only = flag(value)?,
            "write_through" => self.write_through = flag(value)?,
            "nv_cache" => self.nv_cache = flag(value)?,
            "removable" => self.removable = flag(value)?,
            "rotational" => self.rotational = flag(value)?,
            "tst" => self.tst = u8::from(flag(value)?),
            "size" => self.size = Some(mgmt::number_to(value, SIZE_MAX).map_err(errno)?),
            "size_mb" => {
                self.size = Some(mgmt::number_to(value, SIZE_MAX >> 20).map_err(errno)? << 20)
            }
            "t10_dev_id" => self.t10_dev_id = Some(Text::copy_of(value).map_err(|_| EINVAL)?),
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    /// Takes a path. It may be in double quotes even where it needs none, as no path begins with one.
    fn set_filename(&mut self, path: &str) -> Result {
        let inner = path.strip_prefix('"').and_then(|p| p.strip_suffix('"'));
        let path = inner.unwrap_or(path);
        if self.filename.is_some() || !path.starts_with('/') {
            return Err(EINVAL);
        }
        self.filename = Some(CString::try_from_fmt(fmt!("{path}"))?);
        Ok(())
    }

    fn check(&self, kind: Kind) -> Result {
        if kind == Kind::File && self.read_only && (self.write_through || self.nv_cache) {
            return Err(EINVAL);
        }
        if self
            .size
            .is_some_and(|size| size & u64::from(self.block_size().wrapping_sub(1)) != 0)
        {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Bytes of a logical block.
    pub(crate) fn block_size(&self) -> u32 {
        1_u32.wrapping_shl(self.block_shift)
    }

    /// What the backing store is opened for.
    pub(crate) fn access(&self) -> Access {
        if self.read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        }
    }

    /// The backing store. `EINVAL` where none was named.
    pub(crate) fn filename(&self) -> Result<&CStr> {
        self.filename.as_deref().ok_or(EINVAL)
    }

    /// Takes the backing store's name out.
    pub(crate) fn take_filename(&mut self) -> Option<CString> {
        self.filename.take()
    }
}

/// Most bytes of a medium: file offsets are signed.
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

/// A management word's errno.
pub(crate) fn errno(error: mgmt::Error) -> Error {
    match error {
        mgmt::Error::Inval => EINVAL,
        mgmt::Error::Range => ERANGE,
    }
}

fn flag(value: &str) -> Result<bool> {
    mgmt::flag(value).map_err(errno)
}

fn block_shift(value: &str) -> Result<u32> {
    let bytes = mgmt::number(value).map_err(errno)?;
    if !bytes.is_power_of_two() || !(BLOCK_MIN..=BLOCK_MAX).contains(&bytes) {
        return Err(EINVAL);
    }
    Ok(bytes.trailing_zeros())
}
