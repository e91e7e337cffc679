package sinktest

import "github.com/pktstat/pktstat/flow"

// stacked returns a report of a bridge, its ports and other stacked interfaces.
func stacked() *flow.Report {
	r := final("tc", "tcx")
	r.Interfaces, r.Links = nil, []flow.Link{}
	for i, name := range []string{"br0", "eth0", "veth1", "veth2", "veth3", "veth4", "wg0", "idle", "eth1", "bond0"} {
		k := key(flow.UDP, "192.0.2.1:1000", "192.0.2.2:2000")
		k.Ifindex = uint32(i + 2)
		iface := flow.Interface{Index: k.Ifindex, Name: name}
		r.Interfaces = append(r.Interfaces, iface)
		c := flow.Counters{Packets: uint64(100 - i), Bytes: uint64(2800 * i), FrameBytes: uint64(4200 * i)}
		l := flow.Link{Interface: iface, Counters: c}
		switch name {
		case "idle":
			l.Counters = flow.Counters{}
			r.Links = append(r.Links, l)
			continue
		case "br0":
			l.StackedOn = []string{"eth0", "veth1", "veth2", "veth3", "veth4"}
		case "bond0":
			l.StackedOn = []string{"eth1"}
		default:
			r.LinkTotal.Add(c)
		}
		add(r, k, c.Packets, c.Bytes, c.FrameBytes)
		r.Links = append(r.Links, l)
	}
	gone := flow.Counters{Packets: 1, Bytes: 20, FrameBytes: 60}
	k := key(flow.UDP, "192.0.2.1:1000", "192.0.2.2:2000")
	k.Ifindex = 99
	add(r, k, gone.Packets, gone.Bytes, gone.FrameBytes)
	r.Links = append(r.Links, flow.Link{Counters: gone})
	r.LinkTotal.Add(gone)
	return r
}
