// Package process finds the owner of a flow: the process that has the socket, with its cgroup and
// container.
//
//	a, err := process.Open(ctx, process.Options{Owners: env.Tuples, ...})
//	defer a.Close()
//	...
//	src.Collect(...)       // the source closes its window
//	a.Sync(ctx)            // reads the socket events up to now
//	a.Attribute(records)   // sets Key.OwnerID and Match of each
//
// No program runs for a packet. On Linux 6.3 and later, one runs for each send and receive. An
// iterator over the files of all processes (iter/task_file) finds existing sockets. Programs at the
// root of the cgroup v2 hierarchy report sockets that open and close in between, and the processes
// that use them. If BPF is not permitted, the package reads /proc instead and adds a note to the
// report.
//
// A flow is matched by the local and remote address of a socket. The local end is the source of an
// outgoing packet and the destination of an incoming one. A record with Key.NetNS set (from a hook
// that sees every network namespace) is matched with the sockets of that namespace. Other records
// are matched with the sockets of [Options.NetNS].
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/owner/containers"
	"github.com/pktstat/pktstat/registry"
)

// Options of an [Attributor].
type Options struct {
	// Owners numbers the owners.
	Owners registry.Tuples
	// NetNS is the inode number of the network namespace of the counted interfaces, for records
	// that name no namespace. 0: the calling thread's namespace.
	NetNS uint32
	// MaxSockets bounds how many sockets are remembered; 0: 131,072.
	MaxSockets int
	// Proc reads /proc even if BPF is permitted.
	Proc bool

	Now    func() time.Time                 // nil: time.Now
	Notify func(format string, args ...any) // one line to the user; may be nil
	Debugf func(format string, args ...any) // one line for --debug; may be nil

	ring      uint32 // bytes of the ring buffer; 0: 4 MiB
	untracked bool   // do not use the programs that report senders and receivers (Linux 6.3)
}

const (
	defaultSockets = 1 << 17
	defaultRing    = 4 << 20
	procfs         = "/proc"
)

// Attributor knows the sockets of the processes. It is not safe for concurrent use.
type Attributor struct {
	opts    Options
	sockets *sockets
	matcher matcher
	cgroups *containers.Resolver
	root    *os.File // of the cgroup v2 hierarchy; nil: the host has none
	spaces  *namespaces

	watcher *watcher // nil: scanner reads /proc
	scanner *scanner
	why     error // why scanner reads /proc
	trouble error // of the last Sync

	lastPass time.Time
	spare    time.Duration         // how long a pass may still take
	local    map[uint32]*addresses // of this epoch
	foreign  map[uint32]map[portKey]bool
	devices  devices          // of this epoch; nil: not listed yet
	moved    map[place]uint32 // of this epoch
	inodes   map[uint64]bool  // of sockets that processes had in the last pass
	events   uint64           // dropped until the last Sync
	users    uint64
	refused  uint64
	complete bool   // no socket was missed in the last epoch
	gen      uint64 // generation of Owners
}

// needs are the capabilities to watch sockets with BPF.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

// A pass examines all processes. Passes are at least passEvery apart, unless they take less than
// 1/passPart of the time. Up to passSpare is saved for the last interval of a run, which may be
// short.
const (
	passEvery = 100 * time.Millisecond
	passPart  = 10
	passSpare = 100 * time.Millisecond
)

// Open begins to watch sockets. Where BPF cannot be used, it reads /proc.
func Open(ctx context.Context, o Options) (*Attributor, error) {
	if o.Debugf == nil {
		o.Debugf = func(string, ...any) {}
	}
	if o.Notify == nil {
		o.Notify = func(string, ...any) {}
	}
	if o.MaxSockets == 0 {
		o.MaxSockets = defaultSockets
	}
	if o.ring == 0 {
		o.ring = defaultRing
	}
	a := &Attributor{opts: o, sockets: newSockets(o.MaxSockets), moved: map[place]uint32{}}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Attributor) open(ctx context.Context) (err error) {
	if a.spaces, err = newNamespaces(procfs); err != nil {
		return err
	}
	if a.opts.Now == nil {
		a.opts.Now = time.Now
	}
	if a.opts.NetNS == 0 {
		a.opts.NetNS = a.spaces.own
	}
	var rootErr error
	if a.root, rootErr = cgroup2.Open(); rootErr != nil {
		a.root = nil
		a.opts.Debugf("processes: %v", rootErr)
	}
	a.cgroups = containers.NewResolver(a.root, a.opts.Now)
	switch {
	case a.opts.Proc:
		a.why = errors.New("the option asks for it")
	case rootErr != nil:
		a.why = rootErr
	default:
		keeper := held.New(takenOff, a.opts.Now, a.opts.Notify, a.opts.Debugf)
		a.watcher, a.why = watch(a.root, sizes{ring: a.opts.ring, users: uint32(a.opts.MaxSockets), untracked: a.opts.untracked}, keeper, a.opts.Debugf)
		a.why = bpfprobe.Explain(a.why, needs...)
		if errors.Is(a.why, unix.EMFILE) {
			a.why = fmt.Errorf("%w: raise the limit (ulimit -n)", unix.EMFILE)
		}
		a.spare = passSpare
	}
	if a.watcher == nil {
		a.opts.Debugf("processes: /proc is read: %v", a.why)
		a.scanner = &scanner{procfs: procfs, cgroup: a.cgroups.ID}
	}
	a.sockets.tracked = a.watcher != nil && a.watcher.tracked
	a.matcher = matcher{sockets: a.sockets, local: a.isLocal, kernel: a.isKernel, stacked: a.isStacked, tracked: a.sockets.tracked}
	a.complete = true // nothing can be missed before the first epoch
	a.Sync(ctx)
	return a.trouble
}

// Sync reads the socket events up to now, and may make a pass. Call it after the source has closed
// its window, and before [Attributor.Attribute].
func (a *Attributor) Sync(ctx context.Context) {
	now := a.opts.Now()
	a.sockets.begin(now)
	gap := a.watcher != nil && a.watcher.kept.gaps() // look before the pass: what it finds may be newer
	a.local, a.foreign, a.devices, a.spaces.listed = nil, nil, nil, false
	clear(a.moved)
	a.trouble = a.sync(ctx, now)
	if a.trouble != nil {
		a.opts.Debugf("processes: %v", a.trouble)
	}
	before := a.events
	if a.watcher != nil {
		a.events, a.users = a.watcher.dropped()
	}
	complete := a.watcher != nil && !gap && a.trouble == nil && a.events == before && a.sockets.refused == a.refused
	a.refused = a.sockets.refused
	a.matcher.complete = complete && a.complete
	a.matcher.swept = a.sockets.passed == a.sockets.epoch
	a.complete = complete
}

func (a *Attributor) sync(ctx context.Context, now time.Time) error {
	if a.watcher == nil {
		err := a.pass(ctx, a.scanner.held)
		a.sockets.end(err == nil)
		return err
	}
	// The ring has the sockets that closed before the pass. The second drain gets those that close
	// during it.
	if err := a.watcher.drain(a.sockets.add); err != nil {
		return err
	}
	swept := false
	since := passEvery
	if !a.lastPass.IsZero() {
		since = now.Sub(a.lastPass)
	}
	if since >= passEvery || a.spare+since/passPart > 0 {
		if err := a.pass(ctx, a.watcher.holders); err != nil {
			return err
		}
		a.spare = min(a.spare+since/passPart, passSpare) - a.opts.Now().Sub(now)
		a.lastPass, swept = now, true
	}
	err := a.watcher.drain(a.sockets.add)
	a.sockets.end(swept)
	return err
}

// pass adds the sockets that processes have.
func (a *Attributor) pass(ctx context.Context, held func(context.Context, func(*event)) error) error {
	a.inodes = make(map[uint64]bool, len(a.inodes))
	return held(ctx, func(e *event) {
		a.inodes[e.Inode] = true
		a.sockets.add(e)
	})
}

// Attribute sets Key.OwnerID and Match of every record. If a record has a cgroup, its owner gets
// that cgroup, even if no process is found.
func (a *Attributor) Attribute(recs []flow.Record) {
	if g := a.opts.Owners.Generation(); g != a.gen {
		a.gen = g
		clear(a.moved)
	}
	for i := range recs {
		r := &recs[i]
		p, m := a.matcher.match(&r.Key, r.Socket, a.opts.NetNS)
		r.Match, r.Key.OwnerID = m, 0
		switch {
		case p != nil && (r.CgroupID == 0 || r.CgroupID == p.owner.Cgroup):
			r.Key.OwnerID = a.number(p)
		case r.CgroupID != 0:
			r.Key.OwnerID = a.elsewhere(p, r.CgroupID)
		}
	}
}

// number returns the number of the process in the table of owners.
func (a *Attributor) number(p *proc) uint32 {
	if p.id != 0 && p.gen == a.gen && !p.fresh {
		return p.id
	}
	o := a.owner(p)
	p.id, p.gen, p.fresh = a.opts.Owners.Number(&o), a.gen, false
	return p.id
}

// place is a process with a socket in another cgroup than its own. proc is nil if no process was
// found.
type place struct {
	proc   *proc
	cgroup uint64
}

// elsewhere returns the number of an owner with a socket in the given cgroup.
func (a *Attributor) elsewhere(p *proc, cgroup uint64) uint32 {
	at := place{p, cgroup}
	if id, ok := a.moved[at]; ok {
		return id
	}
	var o flow.Owner
	if p != nil {
		o = a.owner(p)
	}
	a.inCgroup(&o, cgroup)
	id := a.opts.Owners.Number(&o)
	a.moved[at] = id
	return id
}

func (a *Attributor) owner(p *proc) flow.Owner {
	o := flow.Owner{PID: p.tgid, Start: p.start, Comm: commString(p.owner.Comm[:]), UID: p.owner.UID}
	a.inCgroup(&o, p.owner.Cgroup)
	return o
}

// inCgroup sets the cgroup. A socket stays in the cgroup in which it was made, even if its process
// moves.
func (a *Attributor) inCgroup(o *flow.Owner, id uint64) {
	o.CgroupID = id
	o.Cgroup, _ = a.cgroups.Lookup(id)
}

// isLocal reports whether a namespace has an address.
func (a *Attributor) isLocal(netns uint32, family flow.Family, addr [16]byte) bool {
	known, ok := a.local[netns]
	if !ok {
		if a.local == nil {
			a.local = map[uint32]*addresses{}
		}
		if files, err := a.spaces.read(netns, addressFiles...); err != nil {
			a.opts.Debugf("processes: addresses: %v", err)
		} else {
			parsed := parseAddresses(files)
			known = &parsed
		}
		a.local[netns] = known
	}
	// Addresses of a deleted namespace are unknown, and a guess could be wrong.
	return known != nil && known.contain(family, addr)
}

// isStacked reports whether one of two interfaces may be on top of the other one.
func (a *Attributor) isStacked(x, y uint32) bool {
	if a.devices == nil {
		if a.opts.NetNS != a.spaces.own {
			return true // another namespace's interfaces cannot be listed
		}
		var err error
		if a.devices, err = a.spaces.listDevices(); err != nil {
			a.opts.Debugf("processes: %v", err)
			a.devices = devices{}
		}
	}
	if a.devices[x] == nil || a.devices[y] == nil {
		return true // an interface is gone or unknown: do not exclude a match
	}
	return a.devices.above(x, y) || a.devices.above(y, x)
}

// isKernel reports whether a port belongs to a socket that no process has.
func (a *Attributor) isKernel(t *tuple) bool {
	ports, ok := a.foreign[t.netns]
	if !ok {
		if a.foreign == nil {
			a.foreign = map[uint32]map[portKey]bool{}
		}
		ports = map[portKey]bool{}
		if files, err := a.spaces.read(t.netns, socketFileNames()...); err == nil {
			listSockets(files, t.netns, func(e *event) {
				// A TCP socket without an inode was closed by its process.
				if t := e.tuple(); hasPorts(&t) && !a.inodes[e.Inode] && (t.proto != flow.TCP || e.Inode != 0) {
					ports[portOf(&t)] = true
				}
			})
		}
		a.foreign[t.netns] = ports
	}
	return ports[portOf(t)]
}

// Notes are limits of the attribution that the report must show, such as missing permission for
// BPF.
func (a *Attributor) Notes() []string {
	var notes []string
	if a.scanner != nil {
		notes = append(notes, fmt.Sprintf("pktstat finds processes in /proc: it misses sockets that lived shorter than an interval (%v)", a.why))
	}
	if a.scanner != nil && a.scanner.denied && !seesAll() {
		notes = append(notes, "pktstat cannot see the sockets of other users' processes without root, or cap_sys_ptrace with cap_dac_read_search")
	}
	if a.trouble != nil {
		notes = append(notes, fmt.Sprintf("processes: %v", a.trouble))
	}
	if a.events > 0 {
		notes = append(notes, fmt.Sprintf("processes: %d socket events were lost: some flows may have no process", a.events))
	}
	if a.watcher != nil {
		notes = append(notes, a.watcher.kept.notes()...)
	}
	if n := a.users + a.sockets.refused; n > 0 {
		notes = append(notes, fmt.Sprintf("processes: more than %d sockets at a time: %d have no process", a.opts.MaxSockets, n))
	}
	return notes
}

// seesAll reports whether pktstat may read the files of all users' processes.
func seesAll() bool {
	initial, err := caps.InitialUserNS()
	return err == nil && initial && caps.Held(caps.SysPtrace) && caps.Held(caps.DACReadSearch)
}

// Close detaches all programs. It may be called twice.
func (a *Attributor) Close() error {
	var errs []error
	if a.watcher != nil {
		errs = append(errs, a.watcher.close())
	}
	if a.root != nil {
		errs = append(errs, a.root.Close())
		a.root = nil
	}
	if a.spaces != nil {
		errs = append(errs, a.spaces.close())
		a.spaces = nil
	}
	return errors.Join(errs...)
}
