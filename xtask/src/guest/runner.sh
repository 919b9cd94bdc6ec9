#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The last init script of a run: starts the agent and lets init go on.
setsid /xtask/agent </dev/null >/dev/console 2>&1 &
