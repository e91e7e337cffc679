#!/bin/sh
# Takes the names of ports from Debian's package libwireshark-data. It is no part of
# `make generate`: the list depends on the version of the package.
set -e
cd "$(dirname "$0")"
{
	sed -n '/^#/p' services.txt
	awk '!/^#/ && NF >= 2 { print $1 " " $2 }' /usr/share/wireshark/services
} >services.new
mv services.new services.txt
