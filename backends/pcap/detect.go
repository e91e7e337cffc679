package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// detect finds out what capture begins with b and returns how many bytes of it
// were its file header. The format is nil if more than b is needed to tell, which
// with eof there is not. packing is what b was unpacked from, "" if nothing.
func detect(b []byte, eof bool, packing string) (format, int, error) {
	switch {
	case len(b) < classicFileHeader && !eof: // no capture is smaller
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

// signatures of files that are taken for captures by mistake.
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

// isTar reports whether b begins with a header of a tar archive: the sum of its bytes is in
// it, in octal digits, with spaces in place of them.
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

// tarAdvice says what a tar archive is in, and what to do about it.
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

// isText is meant for the start of a file, which may end inside a character.
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
