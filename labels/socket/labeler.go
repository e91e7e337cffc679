package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
	"github.com/pktstat/pktstat/registry"
)

// labeler asks for the sockets of rows, and remembers the answers until the next refresh.
type labeler struct {
	config
	fields
	idle           bool // no row can have a value
	now            func() time.Time
	notify, debugf func(string, ...any)
	closed         *closed
	listener       *sockdiag.Listener // nil: closed sockets are not known
	heard          sync.WaitGroup     // the goroutine that listens

	mu     sync.Mutex // guards all below
	spaces *spaces
	spent  time.Duration // in this refresh
	kept   int           // answers, in this refresh
	missed uint64        // rows of the run for which there was no time or room
	notes  []string      // what is missing in this run
	told   bool          // the user knows of missed
	ended  bool
}

var (
	_ registry.Labeler  = (*labeler)(nil)
	_ registry.Windowed = (*labeler)(nil)
	_ registry.Noted    = (*labeler)(nil)
)

// listen begins to remember closed sockets.
func (l *labeler) listen() {
	err := l.spaces.inside.Inside(func() (err error) {
		l.listener, err = sockdiag.Listen(l.spaces.everywhere)
		return err
	})
	if err != nil {
		text := fmt.Sprintf("socket: sockets that close between two refreshes have no values: %v", err)
		if errors.Is(err, fs.ErrPermission) {
			text = "socket: sockets that close between two refreshes have no values: that needs root or cap_net_admin"
		}
		l.notes = append(l.notes, text)
		return
	}
	l.heard.Go(func() {
		if err := l.listener.Read(l.closed.add); err != nil {
			l.debugf("socket: %v", err)
		}
	})
}

// watch lets the listener receive from a namespace.
func (l *labeler) watch(o *space) {
	if l.listener == nil || l.ended {
		return
	}
	if err := l.spaces.number(o); err != nil {
		l.debugf("socket: id of network namespace %s: %v", o.path, err)
		return
	}
	o.age = l.closed.begin(o.id)
}

// Window implements [registry.Windowed].
func (l *labeler) Window(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spaces.begin()
	l.spent, l.kept = 0, 0
}

// Records implements [registry.Labeler]. Rows are not grouped by what changes.
func (l *labeler) Records([]flow.Record) {}

// wanted are the sockets of a namespace that rows ask for.
type wanted struct {
	*space
	ends []sockdiag.Ends
}

// Rows implements [registry.Labeler].
func (l *labeler) Rows(rows []*flow.Row) {
	if l.idle {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	asks := map[*space]*wanted{}
	for _, r := range rows {
		s := l.spaceOf(r)
		if s == nil {
			continue
		}
		w := asks[s]
		if w == nil {
			w = &wanted{space: s}
			asks[s] = w
		}
		c := candidatesOf(r)
		for _, e := range c.ends[:c.n] {
			_, known := s.known[e]
			switch {
			case s.listed:
				s.asked++
			case !known:
				w.ends = append(w.ends, e)
			}
		}
	}
	for _, w := range asks {
		l.ask(w)
	}
	for _, r := range rows {
		if s := l.spaceOf(r); s != nil {
			l.label(r, s)
		}
	}
	if err := l.spaces.release(l.ended); err != nil {
		l.debugf("socket: %v", err)
	}
}

// spaceOf returns the namespace in which a row's socket may be; nil if there is none.
func (l *labeler) spaceOf(r *flow.Row) *space {
	if r.EtherType != 0 || r.Proto != flow.TCP || r.Src.Port() == 0 || r.Dst.Port() == 0 {
		return nil
	}
	return l.spaces.of(r.NetNS, l.watch)
}

// candidates are the ends that a row's socket may have.
type candidates struct {
	ends [2]sockdiag.Ends
	n    int
}

// candidatesOf returns the local end first. If the direction is not known, either end may be here.
func candidatesOf(r *flow.Row) (c candidates) {
	add := func(local, remote netip.AddrPort) {
		c.ends[c.n] = sockdiag.EndsOf(local, remote, r.Ifindex)
		c.n++
	}
	if r.EndsBy == flow.EndsDirection || r.Dir != flow.Ingress {
		add(r.Src, r.Dst)
	}
	if r.EndsBy != flow.EndsDirection && r.Dir != flow.Egress {
		add(r.Dst, r.Src)
	}
	return c
}

// label sets the values of a row. A socket that exists goes before one that was closed.
func (l *labeler) label(r *flow.Row, s *space) {
	c := candidatesOf(r)
	for _, e := range c.ends[:c.n] {
		info, ok := s.find(e)
		if !ok {
			info, ok = l.findClosed(s, e)
		}
		if ok {
			l.set(r, &info)
			return
		}
	}
}

// find returns a socket of this refresh. A socket that is bound to no device has packets on any.
func (s *space) find(e sockdiag.Ends) (sockdiag.Info, bool) {
	info := s.known[e]
	if info.State == 0 {
		e.Device = 0
		info = s.known[e]
	}
	return info, info.State != 0
}

func (l *labeler) findClosed(s *space, e sockdiag.Ends) (sockdiag.Info, bool) {
	if s.id == sockdiag.Home && s != l.spaces.home {
		return sockdiag.Info{}, false // it has no id
	}
	if info, ok := l.closed.find(s.id, s.age, e); ok {
		return info, true
	}
	e.Device = 0
	return l.closed.find(s.id, s.age, e)
}

func (l *labeler) set(r *flow.Row, i *sockdiag.Info) {
	if i.SRTT != 0 {
		r.SetNumber(l.srtt, uint64(i.SRTT))
	}
	if i.MinRTT != 0 {
		r.SetNumber(l.minRTT, uint64(i.MinRTT))
	}
	r.SetNumber(l.cwnd, uint64(i.Cwnd))
	r.SetNumber(l.inFlight, i.InFlight)
	r.Owner.SetLabel(l.state, i.State.String())
}

// Notes implements [registry.Noted].
func (l *labeler) Notes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	notes := l.notes[:len(l.notes):len(l.notes)]
	if l.missed > 0 {
		notes = append(notes, l.missedNote())
	}
	if n := l.closed.overwritten(); n > 0 {
		notes = append(notes, fmt.Sprintf("socket: %d closed sockets have no values: --socket-max-closed %d were remembered", n, l.closed.most))
	}
	if l.listener != nil && !l.ended {
		if n := l.listener.Lost(); n > 0 {
			notes = append(notes, fmt.Sprintf("socket: %d closed sockets have no values: they closed faster than pktstat reads", n))
		}
	}
	return notes
}

func (l *labeler) missedNote() string {
	return fmt.Sprintf("socket: %d rows have no values: a refresh asks for --socket-budget %v and keeps --socket-max %d sockets", l.missed, l.budget, l.most)
}

// Close implements [registry.Labeler].
func (l *labeler) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.ended = true
	err := l.spaces.release(true)
	if l.listener != nil {
		err = errors.Join(err, l.listener.Close())
		l.heard.Wait()
	}
	return err
}
