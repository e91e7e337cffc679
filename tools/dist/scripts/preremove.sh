#!/bin/sh
# Ends the services when the package goes, not when a newer one replaces it.
# dpkg calls this with "remove"; rpm with how many versions stay.
set -e
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl --quiet disable --now pktstat-web.service || true
	fi
	;;
esac
