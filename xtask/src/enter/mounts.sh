#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Puts the root of a program together in name spaces of its own, and starts it there.
# Arguments: the tree, the folder for the new root, `ro|rw|dev HOST INSIDE` for each further mount, --, the command.
# The shell stays: it is the first process of its name space, which a program that expects to have a parent is not.
set -e
tree=$1
new=$2
shift 2

# A place for a mount at $2, of the kind of $1.
place() {
	if [ -d "$1" ]; then
		mkdir -p "$new$2"
	else
		mkdir -p "$new${2%/*}"
		[ -e "$new$2" ] || touch "$new$2"
	fi
}

# Shows $1 as $2, read-only. What the mount below forbids stays forbidden, and where that is more, it has to be said.
read_only() {
	place "$1" "$2"
	mount --bind "$1" "$new$2"
	mount -o remount,bind,ro,nosuid,nodev "$new$2" || mount -o remount,bind,ro,nosuid,nodev,noexec "$new$2"
}

mount -t tmpfs -o mode=755 tmpfs "$new"
for folder in usr etc var; do
	read_only "$tree/$folder" "/$folder"
done
for link in bin sbin lib lib64; do
	ln -s "usr/$link" "$new/$link"
done

mkdir "$new/dev" "$new/proc" "$new/tmp" "$new/run"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$new/dev"
for node in null zero full random urandom tty; do
	touch "$new/dev/$node"
	mount --bind "/dev/$node" "$new/dev/$node"
done
mkdir "$new/dev/shm" "$new/dev/pts"
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
	ln -s "/proc/self/${link#*:}" "$new/dev/${link%:*}"
done
ln -s /proc/kcore "$new/dev/core"
ln -s pts/ptmx "$new/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$new/dev/pts"
mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
for folder in tmp run var/tmp; do
	mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$new/$folder"
done

while [ "$1" != -- ]; do
	case $1 in
	ro) read_only "$2" "$3" ;;
	rw | dev)
		place "$2" "$3"
		mount --bind "$2" "$new$3"
		;;
	esac
	shift 3
done
shift
cd /
"$@"
exit $?
