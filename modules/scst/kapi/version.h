/* SPDX-License-Identifier: GPL-2.0-only */
/* The version of the interface that the modules follow, for what only C can declare. */
#ifndef SCST_KAPI_VERSION_H
#define SCST_KAPI_VERSION_H

#define SCST_INTERFACE_VERSION "3.11.0-pre"

#endif
