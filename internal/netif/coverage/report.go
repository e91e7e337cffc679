package coverage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// Report returns the coverage since the first window, of all interfaces and directions with
// packets. It is empty, not nil, if there were none, and nil if the counters cannot be read. gaps
// are notes about times at which the backend was not attached.
func (m *Meter) Report(gaps []string) []flow.Coverage {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed {
		return nil
	}
	all := []flow.Coverage{}
	var drops map[uint32]queueDrops
	for _, l := range m.links {
		if !l.measured {
			continue
		}
		for _, d := range l.Directions {
			c, ok := l.compare(sideOf(d))
			if !ok {
				continue
			}
			if c.Packets != c.LinkPackets {
				if drops == nil {
					drops = m.queues()
				}
				m.examine(l)
				c.Reasons = m.reasons(l, &c, drops[l.Index], gaps)
			} else if c.FrameBytes != c.LinkBytes {
				m.examine(l)
				c.ByteReasons = l.byteReasons(&c)
			}
			all = append(all, c)
		}
	}
	return all
}

// bounds are the least and the most that counters may have grown by.
type bounds struct{ least, most uint64 }

// growth returns by how much a counter grew between two moments.
func (l *link) growth(of func(*counters) uint64) (b bounds, ok bool) {
	first, last := &l.first, &l.last
	if of(&last.after) < of(&first.before) {
		return b, false // it was reset
	}
	if from, to := of(&first.after), of(&last.before); to > from {
		b.least = to - from
	}
	b.most = of(&last.after) - of(&first.before)
	if last.unknown {
		b.most = ^uint64(0)
	}
	return b, true
}

// nearest returns the number in the bounds that is nearest to n, and the distance.
func (b bounds) nearest(n uint64) (at, distance uint64) {
	at = min(max(n, b.least), b.most)
	if at > n {
		return at, at - n
	}
	return at, n - at
}

// compare returns the coverage of a direction. ok is false if there were no packets.
func (l *link) compare(s side) (c flow.Coverage, ok bool) {
	c = flow.Coverage{Interface: l.Interface, Dir: s.direction()}
	n := &l.counted[s]
	packets, fine := l.growth(func(c *counters) uint64 { return c.packets[s] })
	bytes, fineBytes := l.growth(func(c *counters) uint64 { return c.bytes[s] })
	if !fine || !fineBytes {
		c.Packets, c.FrameBytes = n.all.packets-n.merged.packets, n.all.bytes-n.merged.bytes
		return c, true
	}
	c.Packets, c.LinkPackets, c.Segments = packets.closer(n.all.packets, n.merged.packets)
	c.FrameBytes, c.LinkBytes, _ = bytes.closer(n.all.bytes, n.merged.bytes)
	if p, b, ok := n.between(packets, bytes); ok && c.Packets != c.LinkPackets {
		c.Packets, c.LinkPackets, c.FrameBytes, c.LinkBytes, c.Segments = p, p, b, b, true
	}
	return c, c.Packets != 0 || packets.least != 0
}

// Headers that a segment repeats, in bytes: from IPv4 and UDP to IPv6 and TCP in a tunnel.
const (
	leastHeader = 28
	mostHeader  = 256
)

// between returns the interface's counters if it has counted some super-frames as their segments
// and others as one packet. The kernel segments those that the driver cannot take, behind tc. What
// the segments add to both counters must be packets with nothing but headers.
func (n *counted) between(packets, bytes bounds) (p, b uint64, ok bool) {
	p, b = packets.least, bytes.least
	once := sums{n.all.packets - n.merged.packets, n.all.bytes - n.merged.bytes}
	if p <= once.packets || p >= n.all.packets || b <= once.bytes || b >= n.all.bytes {
		return 0, 0, false
	}
	header := (b - once.bytes) / (p - once.packets)
	return p, b, header >= leastHeader && header <= mostHeader
}

// closer returns what was counted, in super-frames or in segments: what is nearer to the interface's
// counter.
func (b bounds) closer(all, merged uint64) (counted, at uint64, segments bool) {
	once, of := b.nearest(all - merged)
	each, than := b.nearest(all)
	if than < of {
		return all, each, true
	}
	return all - merged, once, false
}

// examine looks for what may drop packets between the interface's counters and the hook.
func (m *Meter) examine(l *link) {
	if m.reader == nil || l.gone {
		return
	}
	l.xdp = l.xdp || l.AfterXDP && m.reader.hasXDP(l.Index)
	if !l.measured {
		l.tc = m.queues()[l.Index]
	}
}

func (m *Meter) queues() map[uint32]queueDrops {
	if m.reader == nil {
		return nil
	}
	drops, err := m.reader.queues()
	if err != nil {
		m.debugf("coverage: %v", err)
	}
	return drops
}

// reasons explains a difference in packets.
func (m *Meter) reasons(l *link, c *flow.Coverage, now queueDrops, gaps []string) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	s := sideOf(c.Dir)
	missing, _ := c.Missing()
	switch {
	case c.LinkPackets == 0 && l.last.after.packets[s] < l.first.before.packets[s]:
		add("the interface's counters were set back")
		return all
	case missing > 0 && s == rx && l.xdp:
		add("an XDP program sees packets first: what it drops or redirects does not reach the hook")
	case missing < 0 && s == tx:
		all = l.notSent(now)
	}
	if m.unnamed > 0 {
		add("of %d packets, the interface is not known", m.unnamed)
	}
	if missing > 0 {
		all = append(all, l.notSeen(c, gaps)...)
	}
	fits, more := l.dropped(s, uint64(max(missing, -missing)))
	all = append(all, fits...)
	if all == nil {
		all = more
	}
	if all == nil && l.last.after.packets[s] == 0 {
		add("the interface does not count its packets")
	}
	return all
}

// notSent explains packets that passed the hook and that the driver has not counted.
func (l *link) notSent(now queueDrops) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if now.queue > l.tc.queue {
		add("the queue (qdisc) dropped %d packets after the hook", now.queue-l.tc.queue)
	}
	if now.waiting > 0 {
		add("%d packets wait in the queue (qdisc)", now.waiting)
	}
	if now.filters > l.tc.filters {
		add("filters at tc dropped %d packets", now.filters-l.tc.filters)
	}
	if l.Kind == "tuntap" {
		add("the interface counts a packet when a program reads it")
	}
	return all
}

// dropped returns which of the interface's counters of drops grew. Those that fit into the
// difference come first. The others have other drops, too, such as packets of unknown protocols.
func (l *link) dropped(s side, difference uint64) (fits, more []string) {
	for i, d := range drops {
		grown, ok := l.growth(func(c *counters) uint64 { return c.drops[i] })
		if !ok || d.side != s || grown.least == 0 {
			continue
		}
		text := fmt.Sprintf("%s grew by %d: %s", d.name, grown.least, d.what)
		if grown.least <= difference {
			fits = append(fits, text)
		} else {
			more = append(more, text)
		}
	}
	return fits, more
}

// notSeen explains packets that passed the hook and were not counted, or that passed another one.
func (l *link) notSeen(c *flow.Coverage, gaps []string) (all []string) {
	if l.lost > 0 {
		all = append(all, fmt.Sprintf("the backend lost %d packets", l.lost))
	}
	of := c.Name + " " + c.Dir.String() + ": "
	for _, n := range l.Notes {
		if why, ok := strings.CutPrefix(n, of); ok {
			all = append(all, why)
		}
	}
	if slices.ContainsFunc(gaps, func(n string) bool { return strings.Contains(n, l.Name) }) {
		all = append(all, "another program had detached pktstat, as a note tells")
	}
	return all
}

// Lengths in bytes.
const (
	ethernetLen = 14
	tagLen      = 4
	fcsLen      = 4
	minFrame    = 60 // without FCS
)

// byteReasons explains a difference in bytes between the same packets.
func (l *link) byteReasons(c *flow.Coverage) []string {
	s := sideOf(c.Dir)
	b, ok := l.growth(func(c *counters) uint64 { return c.bytes[s] })
	if !ok {
		return nil
	}
	fits := func(more int64) bool {
		_, off := b.nearest(c.FrameBytes + uint64(more))
		return off == 0
	}
	packets, tags := int64(c.Packets), int64(l.counted[s].tagged)*tagLen
	_, missing := c.Missing()
	switch {
	case !l.Raw && fits(-packets*ethernetLen):
		return []string{fmt.Sprintf("the interface counts packets without their link header of %d bytes", ethernetLen)}
	case l.xdp && missing < 0 && -missing <= packets*ethernetLen:
		return []string{"while an XDP program is there, the interface counts packets without their link header"}
	case fits(packets * fcsLen):
		return []string{fmt.Sprintf("the interface counts the FCS of %d bytes of each frame", fcsLen)}
	case missing < 0 && -missing <= tags:
		return []string{"the interface does not count VLAN tags that are kept outside of the frame"}
	case l.Kind == "device" && missing > 0 && missing < packets*(minFrame-ethernetLen):
		return []string{fmt.Sprintf("the interface counts the padding of frames below %d bytes", minFrame)}
	}
	return nil
}
