package afpacket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/flowtable"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/netif/attach"
)

// reader counts the packets of a ring, on a goroutine of its own.
type reader struct {
	ring    *ring
	ifindex uint32
	raw     bool
	lo      bool
	vrf     bool
	queued  bool

	quit  int           // an eventfd that ends run
	ended chan struct{} // closed when run has returned
	err   error         // the error if run ended by itself; read it after ended

	decrypted decrypted

	mu    sync.Mutex
	flows *flowtable.Table // counted since the previous Collect
	spare *flowtable.Table // empty
	// Of the packets in flows and, at the same index, in spare: what the segments of super-frames
	// add, by direction.
	merged, spareMerged flowtable.Sides

	read  atomic.Uint64 // packets counted in the whole run
	waits atomic.Uint64 // how often it has waited for more packets

	statsMu sync.Mutex
	stored  uint64 // packets that the kernel has put into the ring in the whole run
	dropped uint64 // since the previous Collect
}

func startReader(r *ring, p *attach.Port, c *counter) (*reader, error) {
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	conns := flowtable.NewConnections()
	rd := &reader{
		ring: r, ifindex: p.Index, raw: p.Raw, lo: p.Loopback, vrf: p.VRF, queued: p.Queued, quit: quit, ended: make(chan struct{}),
		flows: flowtable.New(c.room, conns), spare: flowtable.New(c.room, conns), decrypted: decrypted{packets: &c.decrypted},
	}
	go func() {
		defer close(rd.ended)
		rd.err = rd.run()
	}()
	return rd, nil
}

// run reads until quit.
func (r *reader) run() error {
	fds := []unix.PollFd{{Fd: int32(r.quit), Events: unix.POLLIN}, {Fd: int32(r.ring.fd), Events: unix.POLLIN}}
	for {
		for b := r.ring.block(); b != nil; b = r.ring.block() {
			n := r.count(b)
			r.ring.release(b)
			r.read.Add(n)
		}
		r.waits.Add(1)
		switch _, err := unix.Poll(fds, -1); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for packets: %w", err)
		case fds[0].Revents != 0:
			return nil
		}
		if fds[1].Revents&unix.POLLERR != 0 && !r.ring.clearError() {
			// An error that stays would make this a busy loop.
			if _, err := unix.Poll(fds[:1], retireAfter); err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("wait for the end: %w", err)
			}
		}
	}
}

// count counts the packets of a block and returns their number.
func (r *reader) count(block []byte) (n uint64) {
	var f packet.Frame
	var rec flow.Record
	packets := binary.NativeEndian.Uint32(block[blockPacketsAt:])
	at := binary.NativeEndian.Uint32(block[blockFirstAt:])
	r.mu.Lock()
	defer r.mu.Unlock()
	for range packets {
		c := captured(block[at:])
		at += c.header().Next_offset
		if !c.complete() {
			continue
		}
		n++
		dir := flow.Ingress
		if c.outgoing() {
			if r.lo { // it arrives again on its way in
				continue
			}
			if !r.vrf || c.leavesVRF(r.queued) {
				dir = flow.Egress
			}
		}
		c.frame(&f, r.raw)
		segment := packet.Parse(&f, &rec)
		rec.Key.Dir, rec.Key.Ifindex = dir, r.ifindex
		if dir == flow.Ingress && r.decrypted.again(c.header(), &rec) {
			continue
		}
		r.flows.Add(&rec, segment, c.time())
		if rec.Packets > 1 {
			m := &r.merged[dir]
			m.Packets += rec.Packets - 1
			m.FrameBytes += rec.FrameBytes - uint64(frameLen(&f))
		}
	}
	return n
}

// target returns the number of packets that the kernel has put into the ring so far. The reader
// will count that many.
func (r *reader) target() (uint64, error) {
	r.statsMu.Lock()
	defer r.statsMu.Unlock()
	if r.ring.fd < 0 { // stopped
		return r.stored, nil
	}
	stored, dropped, err := r.ring.stats()
	r.stored += stored
	r.dropped += dropped
	return r.stored, err
}

// How long to wait for the packets in the ring. The kernel hands them over after retireAfter, but
// the reader may have to wait for a CPU.
const (
	settleStep  = 2 * time.Millisecond
	settleLimit = 2 * time.Second
)

// settle waits until the reader has counted target packets.
func (r *reader) settle(target uint64) {
	for range settleLimit / settleStep {
		if r.read.Load() >= target || r.failed() != nil {
			return
		}
		time.Sleep(settleStep)
	}
}

// swap ends the window: give does not hand out later packets. It ends now, in Unix nanoseconds.
func (r *reader) swap(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flows.Expire(now)
	r.flows, r.spare = r.spare, r.flows
	r.merged, r.spareMerged = r.spareMerged, r.merged
}

// give hands the counts until swap, and the packets lost since the previous call, to the batch.
func (r *reader) give(b *flow.Batch, first, last int64) {
	overflow := r.spare.Overflow()
	for dir, merged := range r.spareMerged {
		if merged != (flow.Counters{}) || !overflow[dir].IsZero() {
			b.Links = append(b.Links, flow.LinkPart{Ifindex: r.ifindex, Dir: flow.Direction(dir), Merged: merged, Overflow: overflow[dir]})
		}
	}
	r.spareMerged = flowtable.Sides{}
	r.spare.Drain(b, first, last)

	r.statsMu.Lock()
	defer r.statsMu.Unlock()
	if r.dropped > 0 {
		b.Links = append(b.Links, flow.LinkPart{Ifindex: r.ifindex, Lost: r.dropped})
		b.Lost.Packets += r.dropped
		b.LostBytesUnknown = true
		r.dropped = 0
	}
}

// stop takes no more packets, counts the packets in the ring, and frees it. give still hands out
// the counts.
func (r *reader) stop() error {
	err := r.ring.setFilter(takeNothing())
	target, terr := r.target()
	r.settle(target)
	_, werr := unix.Write(r.quit, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // any number, in either order
	<-r.ended
	r.statsMu.Lock()
	defer r.statsMu.Unlock()
	return errors.Join(err, terr, werr, r.ring.close(), unix.Close(r.quit), r.err)
}

// failed returns the error with which the reader has ended by itself, or nil.
func (r *reader) failed() error {
	select {
	case <-r.ended:
		return r.err
	default:
		return nil
	}
}
