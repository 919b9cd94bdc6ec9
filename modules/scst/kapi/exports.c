// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports from scst the Rust symbols that the dependent modules need. The list is generated when they are built;
 * the type in the declaration does not matter, only the name does.
 */
#include <linux/export.h>

#define EXPORT_RUST(name) extern int name; EXPORT_SYMBOL_GPL(name)

#include "exports_generated.h"
