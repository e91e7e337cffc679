//go:build libpcap

package pcap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket/pcap"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/flowtable"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

// live counts the packets from libpcap, on a goroutine of its own.
type live struct {
	device string
	on     []flow.Interface // the device, if it is an interface
	handle *pcap.Handle
	link   packet.LinkType
	now    func() time.Time

	quit  chan struct{}
	ended chan struct{} // closed when run has returned
	err   error         // the error if run ended by itself; read it after ended

	newest atomic.Int64  // time of the last packet counted, Unix nanoseconds
	idle   atomic.Uint64 // how often libpcap had no packet, in the whole run

	mu    sync.Mutex
	flows *flowtable.Table // counted since the previous Collect
	spare *flowtable.Table // empty
	room  *flowtable.Budget

	dropped uint32 // the last value of libpcap; it wraps
	closed  bool
}

var (
	_ registry.Source   = (*live)(nil)
	_ registry.Attached = (*live)(nil)
	_ registry.Waker    = (*live)(nil)
)

func startLive(device string, on []flow.Interface, h *pcap.Handle, link packet.LinkType, env registry.BackendEnv) *live {
	room := flowtable.NewBudget(env.MaxFlows)
	conns := flowtable.NewConnections()
	l := &live{
		device: device, on: on, handle: h, link: link, now: env.Now,
		quit: make(chan struct{}), ended: make(chan struct{}),
		room: room, flows: flowtable.New(room, conns), spare: flowtable.New(room, conns),
	}
	go func() {
		defer close(l.ended)
		l.err = l.run()
	}()
	return l
}

// run reads until quit.
func (l *live) run() error {
	var p captured
	var f packet.Frame
	var r flow.Record
	for {
		select {
		case <-l.quit:
			return nil
		default:
		}
		data, info, err := l.handle.ZeroCopyReadPacketData()
		switch {
		case errors.Is(err, pcap.NextErrorTimeoutExpired):
			l.idle.Add(1)
			continue
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: libpcap has no more packets", l.device)
		case err != nil:
			if err := l.handle.Error(); !isEmpty(err) {
				return fmt.Errorf("%s: %w", l.device, err)
			}
			l.idle.Add(1)
			l.pause()
			continue
		}
		p = captured{data: data, origLen: info.Length, link: l.link}
		if p.link != packet.LinkTypeEthernet {
			p.dir = p.link.Direction(data)
		}
		l.link.Frame(p.data, p.origLen, &f)
		segment := packet.Parse(&f, &r)
		r.Key.Dir = p.dir
		if l.on != nil {
			r.Key.Ifindex = l.on[0].Index
		}
		l.mu.Lock()
		l.flows.Add(&r, segment, info.Timestamp.UnixNano())
		l.mu.Unlock()
		l.newest.Store(info.Timestamp.UnixNano())
	}
}

// isEmpty reports whether an error of libpcap (1.10) on nflog or nfqueue means an empty socket
// (netfilter_read_linux in pcap-netfilter-linux.c).
func isEmpty(err error) bool {
	return strings.HasSuffix(strings.ToLower(err.Error()), unix.EAGAIN.Error())
}

// pause waits a moment if libpcap does not.
func (l *live) pause() {
	select {
	case <-l.quit:
	case <-time.After(liveRetire / 4):
	}
}

// Collect implements [registry.Source]. It counts everything that the kernel had handed to
// libpcap before the call. First and Last of the records are b's Start and End.
func (l *live) Collect(ctx context.Context, b *flow.Batch) error {
	lost, err := l.drops()
	if err != nil {
		return err
	}
	l.settle(ctx)
	l.mu.Lock()
	full := l.flows
	full.Expire(l.now().UnixNano())
	l.flows, l.spare = l.spare, full
	l.mu.Unlock()
	b.WindowClosed(l.now())
	if b.Start.IsZero() {
		b.Start = b.End
	}
	first, last := b.Window()
	full.Drain(b, first, last)
	if lost > 0 {
		b.Lost.Packets += lost
		b.LostBytesUnknown = true
	}
	return l.failed()
}

// drops returns how many packets libpcap has dropped for lack of room since the last call.
func (l *live) drops() (uint64, error) {
	s, err := l.handle.Stats()
	if err != nil {
		if l.failed() != nil {
			return 0, nil // the device has gone
		}
		return 0, fmt.Errorf("%s: statistics: %w", l.device, err)
	}
	n := uint32(s.PacketsDropped)
	delta := n - l.dropped
	l.dropped = n
	return uint64(delta), nil
}

// settle waits until run has counted the packets in libpcap's buffer. It ends at a later packet,
// or when libpcap has handed over everything and has no more. Packets have times of the system's
// clock; with another clock, only the second condition ends it.
func (l *live) settle(ctx context.Context) {
	const (
		step  = 2 * time.Millisecond
		limit = 2 * time.Second
		// The kernel's timer may be late by some ticks of 4 ms.
		handedOver = int(2 * liveRetire / step)
	)
	began := l.now().UnixNano()
	var idle uint64
	for i := range int(limit / step) {
		if i <= handedOver {
			idle = l.idle.Load()
		}
		// The first of the two may have begun before the call.
		if l.newest.Load() >= began || l.idle.Load() >= idle+2 || l.failed() != nil || ctx.Err() != nil {
			return
		}
		time.Sleep(step)
	}
}

// failed returns the error with which run has ended by itself, or nil.
func (l *live) failed() error {
	select {
	case <-l.ended:
		return l.err
	default:
		return nil
	}
}

// Wake implements [registry.Waker].
func (l *live) Wake() <-chan struct{} { return l.room.Wake() }

// Attachment implements [registry.Attached].
func (l *live) Attachment() registry.Attachment {
	a := registry.Attachment{Method: "libpcap", Interfaces: l.on, PacketsInexact: true}
	if strings.HasPrefix(l.device, "nflog") { // NFULNL_TIMEOUT_DEFAULT of net/netfilter/nfnetlink_log.c
		a.Notes = []string{"the kernel hands over logged packets up to a second late: the report may miss the last ones"}
	}
	a.Notes = append(a.Notes, l.room.Notes()...)
	return a
}

// Close implements [registry.Source].
func (l *live) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.quit)
	<-l.ended
	l.handle.Close()
	return nil
}
