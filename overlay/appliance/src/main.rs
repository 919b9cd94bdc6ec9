// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one program on the appliance.

fn main() {}
