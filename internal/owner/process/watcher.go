package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/held"
)

// watcher holds the programs of bpf/process.bpf.c and the events that they report.
type watcher struct {
	coll   *ebpf.Collection
	iter   *link.Iter
	places []*held.Place // at the root cgroup
	kept   kept          // keeps places attached
	links  []link.Link   // other programs, which no other process can detach
	ring   *ringbuf.Reader

	// tracked: all trackers are attached.
	tracked bool
	// lookers: all lookers are attached, because tracked is false.
	lookers bool

	mu      sync.Mutex
	pending []event
	lost    uint64 // events that did not fit into pending
	flushed chan struct{}
	done    chan struct{}

	buf []byte // for reads from the iterator
}

// sizes are the sizes of the watcher's maps.
type sizes struct {
	ring      uint32 // bytes, a power of two and of pages
	users     uint32 // sockets whose user is kept
	untracked bool   // do not use trackers, as before Linux 6.3
}

// maxPending bounds the events that are kept until the next Sync.
const maxPending = 1 << 18

// cgroupPrograms report sockets that open and close. All must be attached.
var cgroupPrograms = []struct {
	name   string
	attach ebpf.AttachType
}{
	{"sock_create", ebpf.AttachCGroupInetSockCreate},
	{"sock_release", ebpf.AttachCgroupInetSockRelease},
	{"connect4", ebpf.AttachCGroupInet4Connect},
	{"connect6", ebpf.AttachCGroupInet6Connect},
	{"sendmsg4", ebpf.AttachCGroupUDP4Sendmsg},
	{"sendmsg6", ebpf.AttachCGroupUDP6Sendmsg},
	{"tcp_opened", ebpf.AttachCGroupSockOps},
}

// optional is a program that some kernels cannot load or attach.
type optional struct {
	name   string
	attach func(*ebpf.Program) (link.Link, error)
}

// trackers report who sends and receives (sock_send_length and sock_recv_length, Linux 6.3).
var trackers = []optional{{"sent", traced}, {"received", traced}}

// followers report execve(2).
var followers = []optional{{"executed", rawTracepoint("sched_process_exec")}}

// lookers report a process that gets a descriptor of another process's socket. They are used
// without trackers.
var lookers = []optional{
	{"forked", rawTracepoint("sched_process_fork")},
	{"inherited_by_exec", rawTracepoint("sched_process_exec")},
	{"file_received", func(p *ebpf.Program) (link.Link, error) { return link.Kprobe("security_file_receive", p, nil) }},
}

func traced(p *ebpf.Program) (link.Link, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

func rawTracepoint(name string) func(*ebpf.Program) (link.Link, error) {
	return func(p *ebpf.Program) (link.Link, error) {
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: p})
	}
}

// watch loads and attaches the programs. On an error, it detaches all.
func watch(root *os.File, size sizes, keeper *held.Keeper, debugf func(string, ...any)) (_ *watcher, err error) {
	// From Linux 5.11 on, the memory cgroup accounts for maps. On older kernels, creating the maps
	// reports an error if the limit is too low.
	if err := rlimit.RemoveMemlock(); err != nil {
		debugf("memlock limit not raised: %v", err)
	}
	spec, err := loadProcess()
	if err != nil {
		return nil, err
	}
	spec.Maps["events"].MaxEntries = size.ring
	spec.Maps["users"].MaxEntries = size.users
	if err := spec.Variables["wake_at"].Set(uint64(size.ring / 2)); err != nil {
		return nil, fmt.Errorf("set constant wake_at: %w", err)
	}
	w := &watcher{kept: kept{keeper: keeper}, flushed: make(chan struct{}, 1), done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	base := spec.Copy()
	for _, o := range slices.Concat(trackers, followers, lookers) {
		delete(base.Programs, o.name)
	}
	if w.coll, err = ebpf.NewCollection(base); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	if w.iter, err = link.AttachIter(link.IterOptions{Program: w.coll.Programs["sockets"]}); err != nil {
		return nil, fmt.Errorf("attach the iterator: %w", err)
	}
	if err := w.attachCgroup(root); err != nil {
		return nil, err
	}
	w.tracked = !size.untracked && w.attachAll(spec, trackers, debugf)
	w.attachAll(spec, followers, debugf)
	if !w.tracked {
		w.lookers = w.attachAll(spec, lookers, debugf)
	}
	if err := spare(sparedFiles); err != nil {
		return nil, err
	}
	if w.ring, err = ringbuf.NewReader(w.coll.Maps["events"]); err != nil {
		return nil, fmt.Errorf("open the ring buffer: %w", err)
	}
	go w.read()
	return w, nil
}

// sparedFiles is how many descriptors the watcher leaves to the rest of the run. A backend that
// counts in the kernel uses about thirty, and a scan of /proc a few.
const sparedFiles = 48

// spare returns an error if the process cannot open n more files.
func spare(n int) (err error) {
	var fds []int
	for range n {
		var fd int
		fd, err = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			err = fmt.Errorf("reserve descriptors for the run: %w", err)
			break
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return err
}

// attachCgroup attaches the programs to the root cgroup.
func (w *watcher) attachCgroup(root *os.File) error {
	for _, p := range cgroupPrograms {
		at, err := held.Attach(func() (held.Attached, error) {
			return held.ByLink(link.AttachCgroup(link.CgroupOptions{
				Path:   fmt.Sprintf("/proc/self/fd/%d", root.Fd()),
				Attach: p.attach, Program: w.coll.Programs[p.name],
			}))
		})
		if err != nil {
			return fmt.Errorf("attach %s to the root cgroup: %w", p.name, err)
		}
		w.places = append(w.places, at)
	}
	w.kept.begin(w.places)
	return nil
}

// attachAll loads and attaches programs. It reports whether all were attached.
func (w *watcher) attachAll(spec *ebpf.CollectionSpec, programs []optional, debugf func(string, ...any)) bool {
	all := true
	for _, o := range programs {
		if err := w.attach(spec, o); err != nil {
			debugf("processes: program %s is not attached: %v", o.name, err)
			all = false
		}
	}
	return all
}

func (w *watcher) attach(spec *ebpf.CollectionSpec, o optional) error {
	one := spec.Copy()
	one.Programs = map[string]*ebpf.ProgramSpec{o.name: spec.Programs[o.name].Copy()}
	c, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: w.coll.Maps})
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := o.attach(c.Programs[o.name])
	if err != nil {
		return err
	}
	w.links = append(w.links, l)
	return nil
}

// read takes events from the ring until the ring is closed. It wakes when the ring is half full,
// and when drain flushes it.
func (w *watcher) read() {
	defer close(w.done)
	var rec ringbuf.Record
	for {
		switch err := w.ring.ReadInto(&rec); {
		case errors.Is(err, ringbuf.ErrFlushed):
			w.flushed <- struct{}{}
		case err != nil:
			return
		default:
			var e event
			if !e.decode(rec.RawSample) {
				continue
			}
			w.mu.Lock()
			if len(w.pending) < maxPending {
				w.pending = append(w.pending, e)
			} else {
				w.lost++
			}
			w.mu.Unlock()
		}
	}
}

// drain calls f with all events up to now.
func (w *watcher) drain(f func(*event)) error {
	if err := w.ring.Flush(); err != nil {
		return fmt.Errorf("flush the ring buffer: %w", err)
	}
	select {
	case <-w.flushed:
	case <-w.done:
		return errors.New("the ring buffer is closed")
	}
	w.mu.Lock()
	events := w.pending
	w.pending = nil
	w.mu.Unlock()
	for i := range events {
		f(&events[i])
	}
	return nil
}

// holders calls f once for each pair of a process and its socket.
func (w *watcher) holders(ctx context.Context, f func(*event)) error {
	r, err := w.iter.Open()
	if err != nil {
		return fmt.Errorf("open the iterator: %w", err)
	}
	defer func() { _ = r.Close() }()
	if w.buf == nil {
		w.buf = make([]byte, 1024*eventSize)
	}
	have := 0
	for {
		n, err := r.Read(w.buf[have:])
		have += n
		at := 0
		for ; have-at >= eventSize; at += eventSize {
			var e event
			e.decode(w.buf[at:])
			f(&e)
		}
		copy(w.buf, w.buf[at:have])
		have -= at
		switch {
		case errors.Is(err, io.EOF) || err == nil && n == 0:
			return nil
		case err != nil:
			return fmt.Errorf("read the iterator: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// dropped returns how many events, and how many users of sockets, did not fit.
func (w *watcher) dropped() (events, users uint64) {
	for name, v := range map[string]*uint64{"events_dropped": &events, "users_dropped": &users} {
		if w.coll == nil || w.coll.Variables[name].Get(v) != nil {
			continue // the variable is missing only after close
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return events + w.lost, users
}

func (w *watcher) close() error {
	var errs []error
	w.kept.end()
	for _, at := range w.places {
		errs = append(errs, at.Detach())
	}
	w.places = nil
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	w.links = nil
	if w.ring != nil {
		errs = append(errs, w.ring.Close())
		<-w.done
		w.ring = nil
	}
	if w.iter != nil {
		errs = append(errs, w.iter.Close())
		w.iter = nil
	}
	if w.coll != nil {
		w.coll.Close()
		w.coll = nil
	}
	return errors.Join(errs...)
}
