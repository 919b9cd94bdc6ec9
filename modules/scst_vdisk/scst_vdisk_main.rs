// SPDX-License-Identifier: GPL-2.0-only
//! x
#![crate_name = "scst_vdisk"]
#![forbid(unsafe_code)]
use kernel::prelude::*;
struct M;
impl kernel::Module for M { fn init(_m: &'static ThisModule) -> Result<Self> { Ok(M) } }
module! { type: M, name: "scst_vdisk", authors: ["scst-appliance"], description: "x", license: "GPL", }
