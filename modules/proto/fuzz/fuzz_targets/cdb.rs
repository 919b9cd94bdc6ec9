// SPDX-License-Identifier: GPL-2.0-only
//! The fuzzer's way into `cdb`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto_fuzz::cdb::any(data));
