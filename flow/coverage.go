package flow

import (
	"fmt"
	"strings"
)

// Coverage compares what pktstat counted on an interface in one direction with the interface's own
// counters (struct rtnl_link_stats64). It is about the time since the start of the run.
//
// Packets and FrameBytes are in the units of the interface. Most drivers count a super-frame of GSO
// or GRO as one packet, others count its segments.
type Coverage struct {
	Interface
	Dir Direction

	Packets, FrameBytes uint64 // counted
	// LinkPackets and LinkBytes are the interface's own. They are read before and after the window
	// ends. If the counted number lies between both readings, it is that number, else the nearest
	// reading.
	LinkPackets, LinkBytes uint64

	Segments    bool     // the interface counts the segments of super-frames
	Reasons     []string // known reasons for a difference in packets
	ByteReasons []string // known reasons for a difference in bytes
}

// Percent returns the counted packets as a percentage of the interface's packets. It rounds to two
// decimals, but only equal numbers are 100.
func (c *Coverage) Percent() float64 { return percent(c.Packets, c.LinkPackets) }

// BytePercent is Percent of the bytes.
func (c *Coverage) BytePercent() float64 { return percent(c.FrameBytes, c.LinkBytes) }

func percent(counted, of uint64) float64 {
	switch {
	case counted == of:
		return 100
	case of == 0:
		return 0
	}
	const steps = 100 // in one percent
	p := float64(int64(float64(counted)/float64(of)*100*steps+0.5)) / steps
	switch {
	case p == 100 && counted < of:
		return 100 - 1.0/steps
	case p == 100:
		return 100 + 1.0/steps
	}
	return p
}

// Missing returns by how much the interface's number is larger than what was counted; it is
// negative if more was counted.
func (c *Coverage) Missing() (packets, bytes int64) {
	return int64(c.LinkPackets - c.Packets), int64(c.LinkBytes - c.FrameBytes)
}

// String describes the packets: "eth0 ingress: 990 of 1000 packets (99.00 %): a reason".
func (c *Coverage) String() string {
	why := "not explained"
	if len(c.Reasons) > 0 {
		why = strings.Join(c.Reasons, "; ")
	}
	text := fmt.Sprintf("%s %s: %d of the interface's %d packets (%.2f %%)", c.Name, c.Dir, c.Packets, c.LinkPackets, c.Percent())
	if c.Packets == c.LinkPackets {
		return text
	}
	return text + ": " + why
}

// coverageNotes is the number of interfaces and directions that CoverageNotes describes.
const coverageNotes = 4

// CoverageNotes describes the interfaces and directions whose coverage is not 100 %.
func CoverageNotes(all []Coverage) (notes []string) {
	more := 0
	for i := range all {
		switch c := &all[i]; {
		case c.Packets == c.LinkPackets:
		case len(notes) == coverageNotes:
			more++
		default:
			notes = append(notes, "coverage of "+c.String())
		}
	}
	if more > 0 {
		notes = append(notes, fmt.Sprintf("coverage of %d more interfaces and directions is not 100 %%", more))
	}
	return notes
}

// LinkPart is what the records of one window lack about an interface in one direction. A LinkPart
// without an Ifindex is of interfaces that the source cannot name.
type LinkPart struct {
	Ifindex uint32
	Dir     Direction // DirUnknown: Lost is of either direction
	// Merged is what counting segments added to the counters of super-frames: packets, and frame
	// bytes. Arithmetic modulo 2^64.
	Merged   Counters
	Overflow Counters // counted in no record
	Lost     uint64   // packets
}
