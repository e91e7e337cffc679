package bench

import "slices"

// Hook is where a program is attached.
type Hook string

// Hooks.
const (
	HookTC  Hook = "tc"
	HookXDP Hook = "xdp"
)

// Case is what was measured, for all programs in the same rounds. Fields that do not apply are
// empty.
type Case struct {
	Experiment   string `json:"experiment"`
	Hook         Hook   `json:"hook,omitempty"`
	Packet       string `json:"packet,omitempty"`
	Size         int    `json:"size,omitempty"` // of the frame, in bytes without FCS
	Flows        int    `json:"flows,omitempty"`
	Distribution string `json:"distribution,omitempty"` // uniform, zipf
	Table        string `json:"table,omitempty"`        // fit: sized for the flows; default: as shipped
	State        string `json:"state,omitempty"`        // warm: all flows have a slot; new: none has
	CPUs         int    `json:"cpus,omitempty"`
	Step         string `json:"step,omitempty"` // of a report
}

// Units of a group.
const (
	UnitNanoseconds     = "ns/packet"
	UnitPackets         = "packets/s"
	UnitMilliseconds    = "ms"
	UnitCPUMilliseconds = "ms of CPU"
	UnitMegabytes       = "MB"
)

// Names of the programs in every group about packets.
const (
	Empty = "empty" // does nothing; its cost is part of all others
	Floor = "floor" // parses, and adds to one cache line
	Ours  = "pktstat"
	Parts = "pktstat, frags" // at XDP, for packets of several fragments (large MTU)
)

// Group is a case with the measurements of each program.
type Group struct {
	Case
	Unit   string   `json:"unit"`
	Series []Series `json:"series"`
}

// Series is the measurements of one program.
type Series struct {
	Program string    `json:"program"`
	Rounds  []float64 `json:"rounds"` // in the order of the rounds
}

// Rounds returns a program's measurements; nil if it was not measured.
func (g *Group) Rounds(program string) []float64 {
	i := slices.IndexFunc(g.Series, func(s Series) bool { return s.Program == program })
	if i < 0 {
		return nil
	}
	return g.Series[i].Rounds
}

// Net returns a program's measurements. From costs of a packet, it subtracts the empty program's
// cost in the same round.
func (g *Group) Net(program string) []float64 {
	v := slices.Clone(g.Rounds(program))
	if g.Unit != UnitNanoseconds {
		return v
	}
	for i, e := range g.Rounds(Empty) {
		if i < len(v) {
			v[i] -= e
		}
	}
	return v
}

// Ratio compares two programs round by round. ok is false if one of them was not measured.
func (g *Group) Ratio(a, b string) (Stat, bool) {
	va, vb := g.Net(a), g.Net(b)
	n := min(len(va), len(vb))
	r := make([]float64, n)
	for i := range n {
		r[i] = va[i] / vb[i]
	}
	return stat(r)
}
