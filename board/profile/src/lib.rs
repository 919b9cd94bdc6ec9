// SPDX-License-Identifier: MIT OR Apache-2.0
//! Board profiles: text to Board to Plan.
