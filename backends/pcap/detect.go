package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// detect returns the format of a capture that begins with b, and the length of its file header.
// The format is nil if detect needs more than b; that does not happen with eof. packing is the
// compression of the file, or "".
func detect(b []byte, eof bool, packing string) (format, int, error) {
	switch {
	case len(b) < classicFileHeader && !eof: // every capture is longer
		return nil, 0, nil
	case len(b) == 0:
		return nil, 0, errors.New("empty: not even a file header")
	case bytes.HasPrefix(b, ngMagic):
		return &ng{names: new(ngNames)}, 0, nil
	}
	c, known := classicMagic(b)
	switch {
	case !known && len(b) < tarHeader && !eof:
		return nil, 0, nil // it may be a tar archive
	case !known && isTar(b):
		return nil, 0, fmt.Errorf("%s: it is %s", notCapture, tarAdvice(packing))
	case !known:
		return nil, 0, notACapture(b[:min(len(b), classicFileHeader)])
	case len(b) < classicFileHeader:
		return nil, 0, fmt.Errorf("cut short: %d of the %d bytes of the file header are there", len(b), classicFileHeader)
	}
	return c, classicFileHeader, c.readFileHeader(b)
}

// isCapture reports whether a file that is not compressed begins like a capture.
func isCapture(b []byte) bool {
	_, classic := classicMagic(b)
	return classic || bytes.HasPrefix(b, ngMagic)
}

// signatures are files that users often take for captures.
var signatures = []struct{ magic, what string }{
	{"\x7fELF", "an ELF program"},
	{"PK\x03\x04", "a zip archive"},
	{"\xfd7zXZ\x00", "xz compressed: unpack it with xz -d"},
	{"BZh", "bzip2 compressed: unpack it with bzip2 -d"},
	{"\x04\x22\x4d\x18", "lz4 compressed: unpack it with lz4 -d"},
	{"\x1f\x8b", "gzip compressed twice"},
	{"\x28\xb5\x2f\xfd", "zstd compressed twice"},
	{"snoop\x00\x00\x00", "a snoop capture: convert it with editcap -F pcap"},
	{"GMBU", "a Network Monitor capture: convert it with editcap -F pcap"},
	{"RTSS", "a Network Monitor capture: convert it with editcap -F pcap"},
	{"%PDF", "a PDF document"},
}

const notCapture = "not a pcap or pcapng capture"

// tarHeader is the length of a header of a tar archive (POSIX ustar, and before).
const tarHeader = 512

// isTar reports whether b begins with a header of a tar archive. The header has the sum of its
// bytes in octal digits, computed with spaces in their place.
func isTar(b []byte) bool {
	const from, to = 148, 156
	if len(b) < tarHeader {
		return false
	}
	digits := bytes.Trim(b[from:to], " \x00")
	want, err := strconv.ParseUint(string(digits), 8, 32)
	if err != nil {
		return false
	}
	sum := uint64(' ') * (to - from)
	for i, c := range b[:tarHeader] {
		if i < from || i >= to {
			sum += uint64(c)
		}
	}
	return sum == want
}

// tarAdvice names the packing of a tar archive, and the remedy.
func tarAdvice(packing string) string {
	switch packing {
	case "gzip":
		return "a tar archive inside gzip: unpack it with tar -xzf"
	case "zstd":
		return "a tar archive inside zstd: unpack it with tar --zstd -xf"
	}
	return "a tar archive: unpack it with tar -xf"
}

func notACapture(b []byte) error {
	const msg = notCapture
	for _, s := range signatures {
		if bytes.HasPrefix(b, []byte(s.magic)) {
			return fmt.Errorf("%s: it looks like %s", msg, s.what)
		}
	}
	if isText(b) {
		return fmt.Errorf("%s: it looks like text", msg)
	}
	return fmt.Errorf("%s: it begins with % x", msg, b[:min(len(b), 4)])
}

// isText is for the start of a file, which may end inside a character.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return false
		}
		b = b[n:]
	}
	return true
}
