# SPDX-License-Identifier: MIT OR Apache-2.0
# Goes before a scenario's scripts where modules let no writer wait: `echo` waits for them, as long as the modules would.
export SCST_FORCE_EAGAIN=1
echo() {
	# What it prints goes where the caller's goes, what it complains of into the variable.
	{ complaint=$(command echo "$@" 2>&1 >&3 3>&-); } 3>&1 && return 0
	case $complaint in
	*'temporarily unavailable'*) settled ;;
	*) command echo "$complaint" >&2 && return 1 ;;
	esac
}
# The end of the command that was written last.
settled() {
	polls=0
	until result=$(cat /sys/kernel/scst_tgt/last_sysfs_mgmt_res 2>/dev/null); do
		# The last word on an interface that has gone is that there is nothing under way.
		[ -e /sys/kernel/scst_tgt ] || return 0
		polls=$((polls + 1))
		[ $polls -lt 750 ] || { result=-11 && break; }
		usleep 20000
	done
	case $result in
	0) return 0 ;;
	-2) reason='No such file or directory' ;;
	-11) reason='Resource temporarily unavailable' ;;
	-12) reason='Cannot allocate memory' ;;
	-16) reason='Device or resource busy' ;;
	-17) reason='File exists' ;;
	-22) reason='Invalid argument' ;;
	-95) reason='Not supported' ;;
	-124) reason='Wrong medium type' ;;
	*) reason="error $result" ;;
	esac
	command echo "echo: write error: $reason" >&2
	return 1
}
