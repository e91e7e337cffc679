package socket

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pktstat/pktstat/internal/kernel/sockdiag"
	"github.com/pktstat/pktstat/registry"
)

// askPrice is how many sockets of the list of all take as long as asking for one does
// (docs/performance.md).
const askPrice = 2

// fewSockets is the guess of how many sockets a namespace has, before all were listed.
const fewSockets = 2048

// ask asks for sockets one by one, or lists all of them, whichever is cheaper.
func (l *labeler) ask(w *wanted) {
	if len(w.ends) == 0 {
		return
	}
	began := l.now()
	if l.spent >= l.budget || l.kept >= l.most {
		l.miss(len(w.ends))
		return
	}
	err := l.spaces.dial(w.space, l.watch)
	if err == nil {
		if n := max(w.asked+len(w.ends), w.lastAsk); askPrice*n > max(w.sockets, fewSockets) {
			err = l.list(w, began)
		} else {
			err = l.find(w)
		}
	}
	w.asked += len(w.ends)
	l.spent += l.now().Sub(began)
	if err != nil {
		l.fail(w.space, err)
	}
}

// find asks for sockets one by one.
func (l *labeler) find(w *wanted) error {
	if w.known == nil {
		w.known = map[sockdiag.Ends]sockdiag.Info{}
	}
	for some := range slices.Chunk(w.ends, sockdiag.Batch) {
		for _, e := range some {
			w.known[e] = sockdiag.Info{}
		}
		if err := w.conn.Find(some, func(i int, info sockdiag.Info) { w.known[some[i]] = info }); err != nil {
			return err
		}
	}
	l.kept += len(w.ends)
	return nil
}

// list asks for all sockets.
func (l *labeler) list(w *wanted, began time.Time) error {
	l.kept = max(l.kept-len(w.known), 0)
	w.known = make(map[sockdiag.Ends]sockdiag.Info, w.sockets)
	const checked = 256 // reading the clock for each would take longer than the rest
	complete, err := w.conn.Dump(func(e sockdiag.Ends, info sockdiag.Info) bool {
		w.known[e] = info
		n := len(w.known)
		return l.kept+n < l.most && (n%checked != 0 || l.spent+l.now().Sub(began) < l.budget)
	})
	l.kept += len(w.known)
	w.sockets = len(w.known)
	w.listed = complete
	if complete || err != nil {
		return err
	}
	n := 0
	for _, e := range w.ends {
		if _, ok := w.find(e); !ok {
			n++
		}
	}
	l.spent = l.budget // there is not more time in this refresh
	l.miss(n)
	return w.hangUp()
}

// miss counts rows whose sockets are not known for want of time.
func (l *labeler) miss(n int) {
	if n == 0 {
		return
	}
	l.missed += uint64(n)
	if l.ended && !l.told { // a note of a report would come too late
		l.told = true
		l.notify("%s", l.missedNote())
	}
}

// fail gives up a namespace for this refresh. If the kernel cannot answer, it cannot later.
func (l *labeler) fail(s *space, err error) {
	s.listed = true
	text := ""
	switch {
	case errors.Is(err, sockdiag.ErrUnavailable):
		text = fmt.Sprintf("socket: sockets have no values: %v", err)
	case errors.Is(err, registry.ErrPermission):
		text = "socket: sockets of other network namespaces have no values: that needs root or cap_sys_admin"
	}
	if text != "" && !slices.Contains(l.notes, text) {
		l.notes = append(l.notes, text)
	}
	l.debugf("socket: %v", errors.Join(err, s.hangUp()))
}
