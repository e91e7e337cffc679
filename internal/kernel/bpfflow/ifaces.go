package bpfflow

import "github.com/pktstat/pktstat/flow"

// readIfaces adds what a CPU knows of interfaces to b, and clears it.
func readIfaces(b *flow.Batch, all []iface) {
	for i := range all {
		f := &all[i]
		if f.Direction == 0 {
			continue
		}
		part := flow.LinkPart{
			Ifindex:  f.Ifindex,
			Dir:      flow.Direction(f.Direction),
			Merged:   flow.Counters{Packets: f.MergedPackets, FrameBytes: f.MergedBytes},
			Overflow: flow.Counters{Packets: f.FullPackets, FrameBytes: f.FullBytes},
		}
		if i == maxIfaces-1 { // the sum of several
			part.Dir = flow.DirUnknown
		}
		b.Links = append(b.Links, part)
		*f = iface{}
	}
}
