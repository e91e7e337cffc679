// Package units formats numbers for people, with three significant digits and a prefix. Outputs for
// programs write plain numbers instead.
package units

import (
	"math"
	"strconv"
)

// System is the system of prefixes for byte counts.
type System uint8

// Systems.
const (
	IEC System = iota // powers of 1024: KiB, MiB (IEC 80000-13)
	SI                // powers of 1000: kB, MB
)

// String returns "iec" or "si".
func (s System) String() string {
	if s == SI {
		return "si"
	}
	return "iec"
}

var (
	siPrefixes  = [...]string{"", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"}
	iecPrefixes = [...]string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}
)

// Bytes returns n as "999 B", "1.41 MiB" or "1.48 MB".
func (s System) Bytes(n uint64) string {
	if s == SI {
		return format(float64(n), 1000, siPrefixes[:], "B")
	}
	return format(float64(n), 1024, iecPrefixes[:], "B")
}

// BitRate returns bits a second as "999 bps" or "1.48 Mbps", always with SI prefixes, as usual for
// link speeds. Below 10 bps it has decimals.
func BitRate(bps float64) string {
	if bps > 0 && bps < 10 {
		return strconv.FormatFloat(bps, 'f', 2, 64) + " bps"
	}
	return format(bps, 1000, siPrefixes[:], "bps")
}

// PacketRate returns packets a second as "999 pps" or "1.48 Mpps".
func PacketRate(pps float64) string {
	if pps > 0 && pps < 10 {
		return strconv.FormatFloat(pps, 'f', 2, 64) + " pps"
	}
	return format(pps, 1000, siPrefixes[:], "pps")
}

// Duration returns nanoseconds as "999 ns", "1.48 ms" or "12.3 s".
func Duration(ns uint64) string {
	v, unit := float64(ns), 0
	units := [...]string{"ns", "us", "ms", "s"}
	for unit < len(units)-1 && v >= 999.5 {
		v /= 1000
		unit++
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-len(strconv.FormatFloat(math.Floor(v), 'f', 0, 64))+1), 64) + " " + units[unit]
}

// format divides v by base until it rounds to less than base, or until the last prefix.
func format(v, base float64, prefixes []string, unit string) string {
	i := 0
	for i+1 < len(prefixes) && rounded(v, i) >= base {
		v /= base
		i++
	}
	return strconv.FormatFloat(v, 'f', decimals(v, i), 64) + " " + prefixes[i] + unit
}

// rounded returns v as printed, so that 999.95 k becomes 1.00 M and not 1000 k.
func rounded(v float64, prefix int) float64 {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals(v, prefix), 64), 64)
	return f
}

// decimals returns the number of decimals for three significant digits; 0 without a prefix.
func decimals(v float64, prefix int) int {
	switch {
	case prefix == 0 || v >= 99.95:
		return 0
	case v >= 9.995:
		return 1
	}
	return 2
}
