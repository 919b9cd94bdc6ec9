#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs in the guest what the host sends, one command at a time. It comes with a run and is part of no image.
# Lines to the host: `hello RELEASE`, `alive`, `exit STATUS`, `broken TEXT`. From the host: `run TOKEN LENGTH`
# and then LENGTH bytes of a program. The token ends each of the two output streams.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
TERM=dumb
export PATH HOME TERM

home=/xtask

# Drivers in the order of their dependencies; those that the board brings are there already.
load() {
	while read -r module; do
		name=$(basename "$module" .ko | tr - _)
		[ -d "/sys/module/$name" ] || insmod "$home/modules/$module" || echo "xtask: $module does not load" >/dev/console
	done <"$home/load"
}

# The device node of the port called $1, once it is there.
port() {
	tries=0
	while [ $tries -lt 100 ]; do
		for file in /sys/class/virtio-ports/*/name; do
			[ -f "$file" ] && [ "$(cat "$file")" = "$1" ] || continue
			node=${file%/name}
			node=/dev/${node##*/}
			[ -c "$node" ] && echo "$node" && return
		done
		usleep 100000
		tries=$((tries + 1))
	done
	echo "xtask: the port $1 did not appear" >/dev/console
	exit 1
}

# Joins the packages' read-only disk with the guest's own directories. Where both have a file, the package's program
# wins over busybox's small one of the same name, and the guest's configuration over the package's.
packages() {
	[ -f "$home/with-packages" ] || return 0
	disk=
	for serial in /sys/block/*/serial; do
		[ -f "$serial" ] && [ "$(cat "$serial")" = xtask-packages ] && disk=${serial%/serial}
	done
	[ -n "$disk" ] || {
		echo "the packages' disk did not appear"
		return 1
	}
	mkdir -p "$home/packages" && mount -t erofs -o ro "/dev/${disk##*/}" "$home/packages" || return 1
	mkdir -p /run/xtask
	for below in "$home"/packages/*; do
		directory=/${below##*/}
		if [ -L "$below" ] || [ ! -d "$below" ] || [ -L "$directory" ]; then
			continue
		fi
		# What is mounted there already is no file system of files; a package can have an empty directory of that name.
		case $directory in
		/proc | /sys | /dev | /run | /tmp) continue ;;
		esac
		mkdir -p "$directory" "/run/xtask$directory/upper" "/run/xtask$directory/work"
		layers=$directory:$below
		[ "$directory" = /usr ] && layers=$below:$directory
		mount -t overlay -o \
			"lowerdir=$layers,upperdir=/run/xtask$directory/upper,workdir=/run/xtask$directory/work" \
			overlay "$directory" || return 1
	done
	[ -e /lib64 ] || ln -s usr/lib64 /lib64
}

load
agent=$(port xtask.agent) && out=$(port xtask.stdout) && err=$(port xtask.stderr) || exit 1
exec 3<>"$agent" 4>"$out" 5>"$err"
said=$(packages 2>&1) || echo "broken $said" | tr '\n' ' ' >&3
(
	exec 4>&- 5>&-
	while sleep 5; do echo alive; done >&3
) &
echo "hello $(uname -r)" >&3

while read -r verb token length <&3; do
	[ "$verb" = run ] || continue
	head -c "$length" <&3 >"$home/command"
	chmod 700 "$home/command"
	(cd /root && exec setsid "$home/command" </dev/null >&4 2>&5 3>&- 4>&- 5>&-)
	status=$?
	printf '\001%s\001' "$token" >&4
	printf '\001%s\001' "$token" >&5
	echo "exit $status" >&3
done
