package flow

// Counters are the packet and byte counters of one flow or of a sum.
type Counters struct {
	// Packets on the wire. A GSO or GRO super-frame counts as its segments.
	Packets uint64
	// Bytes of layer 3 over all segments: from the IP header to the end of the payload (IPFIX
	// octetDeltaCount). Every backend fills it. 0 for frames that are not IP.
	Bytes uint64
	// FrameBytes of layer 2 over all segments: whole frames without preamble and FCS. 0 if the
	// hook sees no frame.
	FrameBytes uint64
}

// Add adds o to c.
func (c *Counters) Add(o Counters) {
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	c.FrameBytes += o.FrameBytes
}

// Minus returns c - o. o must not exceed c.
func (c Counters) Minus(o Counters) Counters {
	return Counters{c.Packets - o.Packets, c.Bytes - o.Bytes, c.FrameBytes - o.FrameBytes}
}

// IsZero reports whether all counters are 0.
func (c Counters) IsZero() bool { return c == Counters{} }

// At returns the byte counter of a layer. Any layer but [LayerFrame] means layer 3.
func (c Counters) At(l Layer) uint64 {
	if l == LayerFrame {
		return c.FrameBytes
	}
	return c.Bytes
}

// Layer selects a byte counter. Bits combine to a set.
type Layer uint8

// Layers.
const (
	LayerIP    Layer = 1 << iota // Counters.Bytes
	LayerFrame                   // Counters.FrameBytes
)

// String returns "ip" or "frame", the values of --layer.
func (l Layer) String() string {
	switch l {
	case LayerIP:
		return "ip"
	case LayerFrame:
		return "frame"
	}
	return ""
}
