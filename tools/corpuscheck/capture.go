package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// record is one packet of a capture file.
type record struct {
	linkType uint32
	data     []byte // as captured
	wire     int    // length on the wire, at least len(data)
	given    int    // the length on the wire in the file
	time     time.Time
}

// errDamaged ends the reading of a file. The records before the damage are valid.
var errDamaged = errors.New("the capture ends inside a record, or is damaged")

// errForeign means that the file is not a capture.
var errForeign = errors.New("not a capture file")

const (
	maxRecord = 256 << 10
	maxBlock  = 16 << 20
)

// readCapture reads a whole capture file. Of a damaged file, it returns the records before the
// damage, and an error.
func readCapture(name string) ([]record, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	raw, cut := unpack(raw)
	if len(raw) < 4 {
		return nil, errForeign
	}
	var recs []record
	if binary.LittleEndian.Uint32(raw) == blockSection {
		recs, err = readNG(raw)
	} else {
		recs, err = readClassic(raw)
	}
	if err == nil {
		err = cut
	}
	return recs, err
}

// unpack decompresses gzip or zstd, or returns raw itself. Of damaged data, it returns the part
// before the damage.
func unpack(raw []byte) ([]byte, error) {
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(raw, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(bytes.NewReader(raw))
	case bytes.HasPrefix(raw, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		r, err = zstd.NewReader(bytes.NewReader(raw))
	default:
		return raw, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	out, err := io.ReadAll(r)
	// gunzip treats data after the last member as padding.
	if errors.Is(err, gzip.ErrHeader) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return out, err
}

// readClassic reads the format of pcap-savefile(5). In versions below 2.3, and in some files of
// 2.3, the two lengths of a record are swapped.
func readClassic(raw []byte) ([]record, error) {
	if len(raw) < 24 {
		return nil, errForeign
	}
	var order binary.ByteOrder = binary.LittleEndian
	unit, extra := int64(1000), 0
	magic := order.Uint32(raw)
	if magic&0xff == 0xa1 {
		order = binary.BigEndian
		magic = order.Uint32(raw)
	}
	switch magic {
	case 0xa1b2c3d4:
	case 0xa1b23c4d:
		unit = 1
	case 0xa1b2cd34: // the patched libpcap of Alexey Kuznetsov
		extra = 8
	default:
		return nil, errForeign
	}
	minor := order.Uint16(raw[6:])
	link := order.Uint32(raw[20:]) & 0xffff
	var recs []record
	for rest := raw[24:]; len(rest) > 0; {
		if len(rest) < 16+extra {
			return recs, errDamaged
		}
		sec, frac := int64(order.Uint32(rest)), int64(order.Uint32(rest[4:]))
		kept, wire := int(order.Uint32(rest[8:])), int(order.Uint32(rest[12:]))
		if minor < 3 || minor == 3 && kept > wire {
			kept, wire = wire, kept
		}
		rest = rest[16+extra:]
		if kept > maxRecord || kept > len(rest) {
			return recs, errDamaged
		}
		recs = append(recs, record{linkType: link, data: rest[:kept], wire: max(wire, kept), given: wire, time: time.Unix(sec, frac*unit)})
		rest = rest[kept:]
	}
	return recs, nil
}
