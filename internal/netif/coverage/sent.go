package coverage

import (
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Packets that have passed tc may wait in a queue. Drivers count them later, when they send them.
const (
	sentStep  = 2 * time.Millisecond
	sentSteps = 10
)

// awaitSent reads the counters of outgoing packets again, until they have what was counted. It does
// not wait again for packets that it has awaited before.
func (m *Meter) awaitSent() {
	late := m.unsent()
	for i := 0; i < sentSteps && late != nil; i++ {
		time.Sleep(sentStep)
		m.sent(m.read(late))
		late = m.unsent()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.links {
		l.unsent = l.excess()
	}
}

// unsent returns the interfaces that have not counted all outgoing packets yet.
func (m *Meter) unsent() (late []uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.links {
		if !l.gone && l.excess() > l.unsent {
			late = append(late, l.Index)
		}
	}
	return late
}

// excess returns how many outgoing packets were counted that the interface has not counted.
func (l *link) excess() uint64 {
	c, ok := l.compare(tx)
	if missing, _ := c.Missing(); ok && l.measured && missing < 0 && slices.Contains(l.Directions, flow.Egress) {
		return uint64(-missing)
	}
	return 0
}

// sent sets later readings of outgoing packets.
func (m *Meter) sent(now map[uint32]counters) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for index, c := range now {
		if l := m.find(index); l != nil {
			l.last.after.packets[tx], l.last.after.bytes[tx] = c.packets[tx], c.bytes[tx]
		}
	}
}
