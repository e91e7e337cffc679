package flow

// Counters is what is counted of a flow.
type Counters struct {
	// Packets on the wire: a GSO or GRO super-frame counts as its segments.
	Packets uint64
	// Bytes of layer 3, from the IP header to the end of the payload, over all
	// segments (IPFIX octetDeltaCount). Every backend fills it. 0 for frames
	// that are not IP.
	Bytes uint64
	// FrameBytes of layer 2: whole frames without preamble and FCS, over all
	// segments. 0 where the hook sees no frame.
	FrameBytes uint64
}

// Add adds o to c.
func (c *Counters) Add(o Counters) {
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	c.FrameBytes += o.FrameBytes
}

// Minus returns c less o.
func (c Counters) Minus(o Counters) Counters {
	return Counters{c.Packets - o.Packets, c.Bytes - o.Bytes, c.FrameBytes - o.FrameBytes}
}

// IsZero reports whether nothing was counted.
func (c Counters) IsZero() bool { return c == Counters{} }

// At returns the byte counter of a layer.
func (c Counters) At(l Layer) uint64 {
	if l == LayerFrame {
		return c.FrameBytes
	}
	return c.Bytes
}

// Layer names which bytes are meant.
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
