package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

const ipv4Len = 20

// ipv4 parses an IPv4 header (RFC 791). held is the number of bytes on the wire from d on. bytes
// is 0 if d is not IPv4.
func ipv4(d []byte, held int, k *flow.Packed) (bytes, header int, payload []byte) {
	if len(d) < ipv4Len || d[0]>>4 != 4 {
		return 0, 0, nil
	}
	header = int(d[0]&0xf) * 4
	if header < ipv4Len || header > held {
		return 0, 0, nil
	}
	bytes = int(binary.BigEndian.Uint16(d[2:]))
	if bytes == 0 || bytes > held {
		bytes = held
	}
	k.SetIPv4(d[12:20])
	k.Proto = flow.Proto(d[9])
	const offset = 0x1fff
	if binary.BigEndian.Uint16(d[6:])&offset == 0 {
		payload = captured(d, header, bytes)
	}
	return bytes, header, payload
}

// captured returns the captured part of d[from:to].
func captured(d []byte, from, to int) []byte {
	to = min(to, len(d))
	if from >= to {
		return nil
	}
	return d[from:to]
}
