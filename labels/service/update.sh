#!/bin/sh
# Updates the names of ports from Debian's package libwireshark-data. Not part of
# `make generate`, because the list depends on the version of the package.
set -e
cd "$(dirname "$0")"
{
	sed -n '/^#/p' services.txt
	awk '!/^#/ && NF >= 2 { print $1 " " $2 }' /usr/share/wireshark/services
} >services.new
mv services.new services.txt
