package flow

// Health counts what went wrong in TCP. It adds up, as the counters do.
type Health struct {
	// Retransmits are segments that were sent again. Counters include them.
	Retransmits uint64
	// RetransmitBytes is the payload that was sent again, in bytes of layer 4.
	RetransmitBytes uint64
	// Resets are segments with RST.
	Resets uint64
	// ConnectFailed are attempts to connect that were refused or not answered.
	ConnectFailed uint64
}

// Add adds o to h.
func (h *Health) Add(o Health) {
	h.Retransmits += o.Retransmits
	h.RetransmitBytes += o.RetransmitBytes
	h.Resets += o.Resets
	h.ConnectFailed += o.ConnectFailed
}

// Minus returns h - o. o must not exceed h.
func (h Health) Minus(o Health) Health {
	return Health{
		Retransmits: h.Retransmits - o.Retransmits, RetransmitBytes: h.RetransmitBytes - o.RetransmitBytes,
		Resets: h.Resets - o.Resets, ConnectFailed: h.ConnectFailed - o.ConnectFailed,
	}
}

// Within reports whether no number exceeds the same number of o.
func (h Health) Within(o Health) bool {
	return h.Retransmits <= o.Retransmits && h.RetransmitBytes <= o.RetransmitBytes &&
		h.Resets <= o.Resets && h.ConnectFailed <= o.ConnectFailed
}

// IsZero reports whether all numbers are 0.
func (h Health) IsZero() bool { return h == Health{} }

// RetransmitsBy is how retransmits are known.
type RetransmitsBy uint8

// How retransmits are known, from the surest way on.
const (
	RetransmitsUnset    RetransmitsBy = iota
	RetransmitsKernel                 // the kernel told when it sent a segment again
	RetransmitsSequence               // from the sequence numbers of the packets
)

// String returns the value of the field "retransmits_by", "" if it is unset.
func (b RetransmitsBy) String() string { return [...]string{"", "kernel", "sequence"}[b] }
