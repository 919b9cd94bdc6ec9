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
    /// The store is opened.
    pub(crate) active: bool,
    /// The store is closed while the ALUA state forbids access.
    pub(crate) bind_alua_state: Option<bool>,
    /// Transfers are started, and not waited for.
    pub(crate) is_async: bool,
    /// Past the page cache.
    pub(crate) o_direct: bool,
    /// Blocks can be given back.
    pub(crate) thin_provisioned: Option<bool>,
    /// There is no device behind the LUN.
    pub(crate) dummy: bool,
    /// NUMA node that serves the device, -1 for none.
    pub(crate) numa_node_id: i32,
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
        active: true,
        bind_alua_state: None,
        is_async: false,
        o_direct: false,
        thin_provisioned: None,
        dummy: false,
        numa_node_id: -1,
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
            "active" => self.active = flag(value)?,
            "bind_alua_state" => self.bind_alua_state = Some(flag(value)?),
            "async" => self.is_async = flag(value)?,
            "o_direct" => self.o_direct = flag(value)?,
            "thin_provisioned" => self.thin_provisioned = Some(flag(value)?),
            "dummy" => self.dummy = flag(value)?,
            "numa_node_id" => self.numa_node_id = numa_node(value)?,
            "cluster_mode" => no_cluster(flag(value)?)?,
            "dif_mode" | "dif_type" | "dif_static_app_tag" | "dif_filename" => {
                no_protection_information(name, value)?;
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
        if self.o_direct && !self.is_async {
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

fn numa_node(value: &str) -> Result<i32> {
    let node = i32::try_from(mgmt::signed(value).map_err(errno)?).map_err(|_| ERANGE)?;
    if node < -1 {
        return Err(EINVAL);
    }
    Ok(node)
}

/// A cluster would need a lock manager, which this kernel does not have.
pub(crate) fn no_cluster(wanted: bool) -> Result {
    if wanted {
        return Err(EOPNOTSUPP);
    }
    Ok(())
}

/// Protection information reaches no initiator over any transport there is. `EINVAL` for what would mean nothing anyway.
fn no_protection_information(name: &str, value: &str) -> Result {
    let is_known = match name {
        "dif_mode" => value
            .split('|')
            .all(|mode| matches!(mode, "tgt" | "scst" | "dev_check" | "dev_store")),
        "dif_filename" => value.starts_with('/'),
        _ => mgmt::number(value).is_ok(),
    };
    Err(if is_known { EOPNOTSUPP } else { EINVAL })
}
