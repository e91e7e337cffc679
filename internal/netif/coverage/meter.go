// Package coverage compares what a backend counts on interfaces with the interfaces' own counters.
//
// The counters cannot be read at the moment at which a window ends. So the package reads them
// before and after it. The true number at the end of the window lies between both readings. Only
// the first and the last window of a run matter, as the counters only grow.
package coverage

import (
	"slices"
	"sync"

	"github.com/pktstat/pktstat/flow"
)

// side is a direction as an index.
type side uint8

const (
	rx side = iota
	tx
)

// sides are all sides.
var sides = [...]side{rx, tx}

func sideOf(d flow.Direction) side {
	if d == flow.Egress {
		return tx
	}
	return rx
}

func (s side) direction() flow.Direction { return [...]flow.Direction{flow.Ingress, flow.Egress}[s] }

// Port is an interface that a backend counts on.
type Port struct {
	flow.Interface
	Directions []flow.Direction // in which the backend sees all packets
	Raw        bool             // packets have no link header
	Kind       string           // as `ip -d link` has it; "device": a network card's
	AfterXDP   bool             // the backend's hook comes after XDP
	Notes      []string         // of the backend, about the interface
}

// readings are an interface's counters before and after a moment.
type readings struct {
	before, after counters
	unknown       bool // the interface has vanished before the moment
}

// counted is what a backend counted on an interface in one direction.
type counted struct {
	all    sums // of the segments of super-frames
	merged sums // what counting segments added
	tagged uint64
}

type sums struct{ packets, bytes uint64 }

func (s *sums) add(packets, bytes uint64) {
	s.packets += packets
	s.bytes += bytes
}

// link is the state of an interface.
type link struct {
	Port
	first, last readings
	measured    bool // last is set
	gone        bool
	counted     [2]counted
	unsent      uint64 // packets out that the interface had not counted at the last End
	lost        uint64
	tc          queueDrops // when counting began
	xdp         bool       // there is or was an XDP program
}

// Meter measures the coverage of all interfaces of a source. All methods but Add and Leave belong
// to one goroutine.
type Meter struct {
	reader *reader
	debugf func(string, ...any)

	mu      sync.Mutex
	links   []*link // also vanished ones
	started bool    // the first window has ended
	failed  bool    // the counters cannot be read

	now    map[uint32]*readings // of the current moment
	window map[key]*counted     // since the last moment
	recent struct {             // cache
		key
		*counted
	}
	unnamed uint64 // packets of interfaces that the source cannot name
}

type key struct {
	index uint32
	side  side
}

// keptGone is the number of vanished interfaces that a Meter remembers.
const keptGone = 1024

// New returns a Meter for the network namespace of the calling thread.
func New(debugf func(string, ...any)) (*Meter, error) {
	r, err := newReader()
	if err != nil {
		return nil, err
	}
	return &Meter{reader: r, debugf: debugf, window: map[key]*counted{}}, nil
}

// Close frees the Meter. Report still works.
func (m *Meter) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reader != nil {
		m.reader.close()
		m.reader = nil
	}
}

// Add begins to compare an interface. attach attaches the backend to it. Before the first window
// has ended, the counters need not be read.
func (m *Meter) Add(index uint32, attach func() (Port, error)) error {
	before, started := m.readOne(index)
	p, err := attach()
	if err != nil {
		return err
	}
	l := &link{Port: p}
	if after, now := m.readOne(index); now {
		if !started {
			before = after
		}
		l.first = readings{before: before, after: after}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links = append(m.links, l)
	if m.started {
		m.examine(l)
	}
	m.forget()
	return nil
}

// readOne returns the counters of an interface, if the first window has ended.
func (m *Meter) readOne(index uint32) (c counters, started bool) {
	m.mu.Lock()
	started = m.started
	m.mu.Unlock()
	if started {
		c = m.read([]uint32{index})[index]
	}
	return c, started
}

// Leave ends the comparison of an interface. detach detaches the backend from it.
func (m *Meter) Leave(index uint32, detach func()) {
	before := m.read([]uint32{index})
	detach()
	after := m.read([]uint32{index})
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.find(index); l != nil {
		b, there := before[index]
		a, still := after[index]
		l.gone = true
		l.end(readings{before: b, after: a, unknown: !there || !still})
	}
}

// end sets the last readings. Of a vanished interface, the readings before remain.
func (l *link) end(r readings) {
	if r.unknown {
		l.last.unknown = true
		return
	}
	l.last, l.measured = r, true
}

// find returns the interface that is attached with an index; nil if there is none.
func (m *Meter) find(index uint32) *link {
	for _, l := range slices.Backward(m.links) {
		if l.Index == index && !l.gone {
			return l
		}
	}
	return nil
}

func (m *Meter) forget() {
	gone := -keptGone
	for _, l := range m.links {
		if l.gone {
			gone++
		}
	}
	m.links = slices.DeleteFunc(m.links, func(l *link) bool {
		drop := gone > 0 && l.gone
		if drop {
			gone--
		}
		return drop
	})
}

// read returns the counters of interfaces. An error is no reason to end a run.
func (m *Meter) read(indexes []uint32) map[uint32]counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reader == nil || m.failed {
		return nil
	}
	all, err := m.reader.read(indexes)
	if err != nil {
		m.debugf("no coverage: %v", err)
		m.failed = true
	}
	return all
}

// attached returns the indexes of all interfaces that are attached.
func (m *Meter) attached() (indexes []uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.links {
		if !l.gone {
			indexes = append(indexes, l.Index)
		}
	}
	return indexes
}

// Begin reads the counters before the window of b ends, and follows b until the end. The caller
// then calls End.
func (m *Meter) Begin(b *flow.Batch) {
	m.now = map[uint32]*readings{}
	busy := false
	for index, c := range m.read(m.attached()) {
		m.now[index] = &readings{before: c}
		busy = busy || m.isBusy(index, &c)
	}
	if busy {
		settle()
	}
	b.Watch(flow.BatchHooks{WindowClosed: m.closed, Records: m.records})
}

// isBusy reports whether packets that an interface has received may not have passed the hook yet:
// of this window, or of the last one's end.
func (m *Meter) isBusy(index uint32, c *counters) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.find(index)
	return l != nil && (c.packets[rx] != l.last.after.packets[rx] || c.packets[rx] != l.last.before.packets[rx])
}

// closed reads the counters after the window has ended.
func (m *Meter) closed() {
	after := m.read(m.attached())
	for index, r := range m.now {
		r.after, r.unknown = after[index], false
		if _, there := after[index]; !there {
			r.unknown = true
		}
	}
}

// records counts records by interface and direction.
func (m *Meter) records(recs []flow.Record) error {
	for i := range recs {
		r := &recs[i]
		if k := (key{r.Key.Ifindex, sideOf(r.Key.Dir)}); k != m.recent.key || m.recent.counted == nil {
			m.recent.key, m.recent.counted = k, m.of(k)
		}
		c := m.recent.counted
		c.all.add(r.Packets, r.FrameBytes)
		if r.Key.VLAN != 0 {
			c.tagged += r.Packets
		}
	}
	return nil
}

func (m *Meter) of(k key) *counted {
	c := m.window[k]
	if c == nil {
		c = &counted{}
		m.window[k] = c
	}
	return c
}

// End adds the window of b to what was counted. The first window is no part of a run: it has what
// was counted while the source attached.
func (m *Meter) End(b *flow.Batch) {
	lost := map[uint32]uint64{}
	for _, p := range b.Links {
		switch {
		case p.Ifindex == 0 || p.Dir == flow.DirUnknown && p.Lost == 0:
			m.unnamed += p.Overflow.Packets + p.Merged.Packets
			continue
		case p.Dir == flow.DirUnknown:
			lost[p.Ifindex] += p.Lost
			continue
		}
		c := m.of(key{p.Ifindex, sideOf(p.Dir)})
		c.merged.add(p.Merged.Packets, p.Merged.FrameBytes)
		c.all.add(p.Overflow.Packets, p.Overflow.FrameBytes)
	}
	m.endLinks(lost)
	m.awaitSent()
	clear(m.window)
	m.recent.counted = nil
}

func (m *Meter) endLinks(lost map[uint32]uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.links {
		m.endLink(l, lost[l.Index])
	}
	if !m.started {
		m.started, m.unnamed = true, 0
	}
}

// endLink adds the window to an interface. Of a vanished interface, packets may be left.
func (m *Meter) endLink(l *link, lost uint64) {
	now := m.now[l.Index]
	if !m.started {
		l.counted, l.lost = [2]counted{}, 0
		if now != nil {
			l.first = *now
		}
		m.examine(l)
		return
	}
	if l.gone && m.find(l.Index) != nil { // another interface has its index
		return
	}
	for _, s := range sides {
		if c := m.window[key{l.Index, s}]; c != nil {
			to := &l.counted[s]
			to.all.add(c.all.packets, c.all.bytes)
			to.merged.add(c.merged.packets, c.merged.bytes)
			to.tagged += c.tagged
		}
	}
	l.lost += lost
	if now != nil && !l.gone {
		l.end(*now)
	}
}
