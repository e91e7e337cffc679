// Package packet is the Go packet parser: from a frame to its flow and its
// counters, after docs/accounting.md. The C parser, bpf/parse.h, follows the
// same rules; testdata/packets and a fuzz test hold both to them.
package packet

import "github.com/pktstat/pktstat/flow"

// Frame is a packet as it was captured, with what the kernel or the capture
// file knows about it besides its bytes.
type Frame struct {
	Data []byte // captured bytes, from the link header on (layer 3 if there is none)
	Len  int    // length on the wire of what Data starts: at least len(Data)

	// Raw: there is no Ethernet header, Data starts at layer 3.
	Raw bool
	// EtherType of a Raw frame; 0: told by the first four bits.
	EtherType flow.EtherType
	// LinkLen is added to FrameBytes of a Raw frame: the header that a cooked
	// capture replaced. 0: the link has none.
	LinkLen int

	// Tagged: the kernel holds the outermost VLAN tag outside of Data and Len.
	Tagged bool
	TCI    uint16 // of that tag

	// Segments of a GSO or GRO super-frame; 0 and 1 mean that it is none.
	Segments int
}
