// SPDX-License-Identifier: GPL-2.0-only
//! The fuzzer's way into `mode`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto_fuzz::mode::any(data));
