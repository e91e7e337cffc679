// Package pcapfile writes and reads the capture files of the tests: classic pcap, little-endian,
// microseconds (https://www.tcpdump.org/manpages/pcap-savefile.5.html). pktstat itself reads
// captures with backends/pcap.
package pcapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
)

const (
	magic         = 0xa1b2c3d4
	headerLen     = 24
	recordLen     = 16
	maxSnaplen    = 262144 // MAXIMUM_SNAPLEN of libpcap
	versionMajor  = 2
	versionMinor  = 4
	nanosPerMicro = 1000
)

// Packet is one record of a capture file.
type Packet struct {
	Time    time.Time
	Data    []byte
	OrigLen int // length on the wire
}

// Writer writes a capture file. It does not buffer.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter writes the file header. With snaplen 0, packets are not cut.
func NewWriter(w io.Writer, l packet.LinkType, snaplen int) (*Writer, error) {
	if snaplen == 0 {
		snaplen = maxSnaplen
	}
	h := binary.LittleEndian.AppendUint32(nil, magic)
	h = binary.LittleEndian.AppendUint16(h, versionMajor)
	h = binary.LittleEndian.AppendUint16(h, versionMinor)
	h = append(h, make([]byte, 8)...) // time zone and accuracy, unused
	h = binary.LittleEndian.AppendUint32(h, uint32(snaplen))
	h = binary.LittleEndian.AppendUint32(h, uint32(l))
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("write capture header: %w", err)
	}
	return &Writer{w: w}, nil
}

// Write writes one packet.
func (w *Writer) Write(p Packet) error {
	b := w.buf[:0]
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Time.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Time.Nanosecond()/nanosPerMicro))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.OrigLen))
	b = append(b, p.Data...)
	w.buf = b
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("write packet: %w", err)
	}
	return nil
}

// ErrFormat is wrapped by all errors of Read.
var ErrFormat = errors.New("not a little-endian pcap file of microseconds")

// Read returns all packets of a file. They share its memory.
func Read(file []byte) (packet.LinkType, []Packet, error) {
	if len(file) < headerLen || binary.LittleEndian.Uint32(file) != magic {
		return 0, nil, ErrFormat
	}
	l := packet.LinkType(binary.LittleEndian.Uint32(file[20:]))
	var packets []Packet
	for rest := file[headerLen:]; len(rest) > 0; {
		if len(rest) < recordLen {
			return 0, nil, fmt.Errorf("%w: packet %d: cut in its header", ErrFormat, len(packets)+1)
		}
		n := int64(binary.LittleEndian.Uint32(rest[8:]))
		if n > int64(len(rest)-recordLen) {
			return 0, nil, fmt.Errorf("%w: packet %d: cut", ErrFormat, len(packets)+1)
		}
		end := recordLen + int(n)
		packets = append(packets, Packet{
			Time: time.Unix(int64(binary.LittleEndian.Uint32(rest)),
				int64(binary.LittleEndian.Uint32(rest[4:]))*nanosPerMicro).UTC(),
			Data:    rest[recordLen:end:end],
			OrigLen: int(binary.LittleEndian.Uint32(rest[12:])),
		})
		rest = rest[end:]
	}
	return l, packets, nil
}
