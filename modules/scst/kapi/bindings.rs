// SPDX-License-Identifier: GPL-2.0-only
//! C's view of the SCSI midlayer, generated.
#![allow(clippy::all, dead_code, missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]
#![allow(unreachable_pub, improper_ctypes, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]
include!(env!("SCST_KAPI_BINDINGS"));
