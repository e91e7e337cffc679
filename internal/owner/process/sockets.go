package process

import (
	"slices"
	"time"
)

// proc is a process, identified by its PID and start time.
type proc struct {
	procKey
	owner bpfOwner // as of its last event
	id    uint32   // in the table of owners
	gen   uint64   // Owners.Generation at which id was valid
	fresh bool     // owner has changed since id was set
	split uint64   // epoch in which other processes got its files unseen; 0: never
	seen  uint64   // epoch in which owner was read from the process itself; 0: never
}

type procKey struct {
	tgid  uint32
	start uint64
}

// claim is what is known about a process and a socket.
type claim struct {
	proc  *proc
	by    evidence
	epoch uint64 // of the newest evidence
}

// sock is a socket that exists, or existed a short time ago.
type sock struct {
	tuple
	cookie   uint64
	inode    uint64 // of the file; 0: unknown
	dev      uint32 // the interface that it is bound to; 0: none
	state    uint8
	v6only   bool // IPV6_V6ONLY
	shared   bool // several processes have used it
	claims   []claim
	born     uint64    // epoch in which it was found; 0: before the first window
	bound    uint64    // epoch in which dev changed; 0: never
	got      uint64    // epoch in which another process got it; 0: never
	sent     uint64    // epoch in which a process last sent through it; 0: never
	held     uint64    // epoch in which the iterator last saw it; 0: never
	released uint64    // epoch; 0: it exists
	touched  time.Time // last event, or release
}

// sockets holds the sockets of all processes, indexed for matching flows.
type sockets struct {
	max   int
	n     int
	epoch uint64
	now   time.Time
	// passed is the epoch of the last pass over all processes.
	passed uint64
	// tracked: BPF reports every process that sends or receives.
	tracked bool

	byTuple  map[tuple][]*sock   // connected
	byPort   map[portKey][]*sock // not connected
	byCookie map[uint64][]*sock
	procs    map[procKey]*proc

	refused uint64 // sockets that did not fit
}

// portKey indexes the sockets that may take packets to a port. For protocols without ports, port is
// 0, and the list includes connected sockets.
type portKey struct {
	netns uint32
	port  uint16
	proto uint8
}

// How long a released socket is remembered. TCP goes on without the process in FIN_WAIT and
// TIME_WAIT (60 s each: TCP_FIN_TIMEOUT, TCP_TIMEWAIT_LEN). For other protocols, an answer may
// arrive late.
const (
	lingerTCP   = 125 * time.Second
	lingerOther = 5 * time.Second
)

func newSockets(limit int) *sockets {
	return &sockets{
		max:     limit,
		byTuple: map[tuple][]*sock{}, byPort: map[portKey][]*sock{},
		byCookie: map[uint64][]*sock{}, procs: map[procKey]*proc{},
	}
}

// begin starts an epoch.
func (s *sockets) begin(now time.Time) {
	s.epoch++
	s.now = now
}

// before is the epoch that ends before the first window begins.
const before = 1

// add records an event.
func (s *sockets) add(e *event) {
	if e.Kind == eventExecuted || e.Kind == eventForked {
		s.addProcess(e)
		return
	}
	t := e.tuple()
	var found []*sock
	if hasIdentity(&t) {
		if k := s.find(&t, e); k != nil {
			found = []*sock{k}
		}
	} else if e.Proto != protoMPTCP {
		// The addresses are gone (a reset connection) or not yet set.
		found = s.byCookie[e.Cookie]
	}
	var p *proc
	if e.Evidence != byNothing {
		p = s.proc(e)
	}
	for _, k := range found {
		k.add(e, p, s)
	}
	if e.Kind == eventReleased && e.Proto != protoMPTCP {
		for _, k := range s.byCookie[e.Cookie] { // the entry from before it was connected
			if k.released == 0 {
				k.released, k.touched = s.epoch, s.now
			}
		}
	}
}

// add records an event of this socket.
func (k *sock) add(e *event, p *proc, s *sockets) {
	k.touched = s.now
	// If BPF does not report every use, the process that closes the socket may have used it.
	k.shared = k.shared || e.Shared != 0 || !s.tracked && (e.Foreign != 0 || e.Evidence == byRelease && len(k.claims) > 0 && !k.has(p))
	if e.Kind == eventGot && !k.has(p) {
		k.got = s.epoch
	}
	k.v6only = e.V6Only != 0
	if k.dev != e.Dev {
		k.dev, k.bound = e.Dev, s.epoch
	}
	if p != nil {
		k.claim(p, e.Evidence, s.epoch)
	}
	switch e.Kind {
	case eventHeld:
		k.held, k.state, k.released = s.epoch, e.State, 0
	case eventUsed:
		k.sent = s.epoch
	case eventReleased:
		if k.released == 0 {
			k.released = s.epoch
		}
	}
}

// has reports whether the process has a claim on the socket.
func (k *sock) has(p *proc) bool {
	return slices.ContainsFunc(k.claims, func(c claim) bool { return c.proc == p })
}

// addProcess records an event of a process.
func (s *sockets) addProcess(e *event) {
	p := s.procs[procKey{e.Owner.TGID, e.Owner.Start}]
	switch {
	case p == nil:
	case e.Kind == eventForked:
		p.split = s.epoch
	default:
		p.owner, p.fresh, p.seen = e.Owner, true, s.epoch
	}
}

func hasPorts(t *tuple) bool { return t.proto.HasPorts() }

// hasIdentity reports whether the addresses suffice to match a flow.
func hasIdentity(t *tuple) bool { return !hasPorts(t) || t.lport != 0 }

// find returns the socket of an event. It adds an unknown one, or returns nil if there is no room.
func (s *sockets) find(t *tuple, e *event) *sock {
	for _, k := range s.list(t) {
		if k.tuple != *t || k.released != 0 && e.Kind != eventReleased {
			continue
		}
		// Two sockets that share a port (SO_REUSEPORT) may both lack a cookie.
		sure := k.inode != 0 && k.inode == e.Inode || k.cookie != 0 && k.cookie == e.Cookie
		if k.inode != 0 && e.Inode != 0 && k.inode != e.Inode || !sure && k.dev != e.Dev {
			continue
		}
		// On Linux 5.10, the iterator does not see most cookies.
		if k.cookie == e.Cookie || k.cookie == 0 || e.Cookie == 0 {
			if k.cookie == 0 {
				s.setCookie(k, e)
			}
			if k.inode == 0 {
				k.inode = e.Inode
			}
			return k
		}
	}
	if s.n >= s.max {
		s.refused++
		return nil
	}
	k := &sock{tuple: *t, inode: e.Inode, state: e.State, touched: s.now, dev: e.Dev, born: s.epoch}
	if s.epoch == before {
		k.born = 0
	}
	s.n++
	if hasPorts(t) && t.connected() {
		s.byTuple[*t] = append(s.byTuple[*t], k)
	} else {
		pk := portOf(t)
		s.byPort[pk] = append(s.byPort[pk], k)
	}
	s.setCookie(k, e)
	return k
}

func (s *sockets) setCookie(k *sock, e *event) {
	if e.Cookie == 0 || e.Proto == protoMPTCP {
		return
	}
	k.cookie = e.Cookie
	s.byCookie[k.cookie] = append(s.byCookie[k.cookie], k)
}

// list returns the sockets that may have these addresses.
func (s *sockets) list(t *tuple) []*sock {
	if hasPorts(t) && t.connected() {
		return s.byTuple[*t]
	}
	return s.byPort[portOf(t)]
}

func portOf(t *tuple) portKey {
	k := portKey{netns: t.netns, proto: uint8(t.proto)}
	if hasPorts(t) {
		k.port = t.lport
	}
	return k
}

// proc returns the process of an event, and records its current owner.
func (s *sockets) proc(e *event) *proc {
	o := &e.Owner
	key := procKey{o.TGID, o.Start}
	p := s.procs[key]
	if p == nil {
		p = &proc{procKey: key}
		s.procs[key] = p
	}
	// Events of other kinds describe the process when it began to use the socket.
	now := e.Kind == eventHeld || e.Kind == eventOpened || e.Kind == eventGot || e.Kind == eventReleased && e.Foreign == 0
	if now {
		p.seen = s.epoch
	}
	if p.owner != *o && (now || p.seen == 0 || p.seen+1 < s.epoch) {
		p.owner, p.fresh = *o, true
	}
	return p
}

func (k *sock) claim(p *proc, by evidence, epoch uint64) {
	for i := range k.claims {
		c := &k.claims[i]
		if c.proc == p {
			c.by, c.epoch = max(c.by, by), epoch
			return
		}
	}
	if len(k.claims) >= maxClaims {
		i := 0
		for j := range k.claims {
			if k.claims[j].epoch < k.claims[i].epoch {
				i = j
			}
		}
		if k.claims[i].epoch == epoch {
			k.shared = true
			return // enough claims to know that it is shared
		}
		k.claims = slices.Delete(k.claims, i, i+1)
	}
	k.claims = append(k.claims, claim{p, by, epoch})
}

// maxClaims bounds the memory for a socket that thousands of processes have inherited.
const maxClaims = 16

// end ends an epoch. swept means that the iterator has seen every socket of every process: a socket
// that it saw before and not now is released.
func (s *sockets) end(swept bool) {
	if swept {
		s.passed = s.epoch
	}
	sweep := func(list []*sock) []*sock {
		return slices.DeleteFunc(list, func(k *sock) bool {
			if swept && k.held != 0 && k.held != s.epoch && k.released == 0 {
				k.released, k.touched = s.epoch, s.now
			}
			if !s.expired(k) {
				return false
			}
			s.forgetCookie(k)
			s.n--
			return true
		})
	}
	for t, list := range s.byTuple {
		if left := sweep(list); len(left) == 0 {
			delete(s.byTuple, t)
		} else if len(left) != len(list) {
			s.byTuple[t] = left
		}
	}
	for p, list := range s.byPort {
		if left := sweep(list); len(left) == 0 {
			delete(s.byPort, p)
		} else if len(left) != len(list) {
			s.byPort[p] = left
		}
	}
	s.forgetProcs()
}

// expired reports whether to forget a socket. An existing one expires only if the iterator never
// saw it, such as a connection that no process accepts. If memory is short, a released socket
// expires at once.
func (s *sockets) expired(k *sock) bool {
	if k.released == 0 && k.held != 0 || k.released != 0 && k.alive(s.epoch) {
		return false
	}
	linger := lingerOther
	if k.proto == 6 {
		linger = lingerTCP
	}
	return s.now.Sub(k.touched) > linger || k.released != 0 && s.n > s.max*7/8
}

func (s *sockets) forgetCookie(k *sock) {
	if k.cookie == 0 {
		return
	}
	list := slices.DeleteFunc(s.byCookie[k.cookie], func(o *sock) bool { return o == k })
	if len(list) == 0 {
		delete(s.byCookie, k.cookie)
	} else {
		s.byCookie[k.cookie] = list
	}
}

// forgetProcs forgets processes without a claim. It waits until at least half of them may be
// unused, which keeps the cost per process small.
func (s *sockets) forgetProcs() {
	if len(s.procs) < 1024 || len(s.procs) < 2*s.n {
		return
	}
	used := make(map[*proc]bool, len(s.procs))
	mark := func(list []*sock) {
		for _, k := range list {
			for _, c := range k.claims {
				used[c.proc] = true
			}
		}
	}
	for _, list := range s.byTuple {
		mark(list)
	}
	for _, list := range s.byPort {
		mark(list)
	}
	for key, p := range s.procs {
		if !used[p] {
			delete(s.procs, key)
		}
	}
}
