package sourcetest

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// fake is a backend that works correctly unless broken names a defect. It counts packets of 100
// bytes: one a second from packet 0 if it reads files, all at once if it is live.
type fake struct {
	live   bool
	broken string // the defect
	shared *fakeConfig
	wire   wire
}

// leaked keeps files from the garbage collector, which would close them. (A fake that failed to
// open is garbage at once.)
var leaked []*os.File

func (f *fake) leak() {
	file, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	leaked = append(leaked, file)
}

const fakePackets = 10

var fakeWant = flow.Counters{Packets: fakePackets, Bytes: 100 * fakePackets, FrameBytes: 114 * fakePackets}

// wire is the traffic source of a live fake.
type wire struct {
	mu      sync.Mutex
	packets int
}

func (w *wire) send(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets += n
}

func (w *wire) take() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.packets
	w.packets = 0
	return n
}

func (f *fake) backend() registry.Backend {
	b := registry.Backend{
		Summary: "a fake",
		Caps:    registry.CapFile,
		Layers:  flow.LayerIP | flow.LayerFrame,
		Clock:   registry.ClockSource,
		Wants:   []string{"file"},
		New:     func() registry.BackendConfig { return &fakeConfig{fake: f} },
	}
	if f.live {
		b.Caps, b.Clock = registry.CapLive|registry.CapIngress, registry.ClockWall
	}
	switch f.broken {
	case "summary":
		b.Summary = "two\nlines"
	case "caps":
		b.Caps |= registry.CapLive | registry.CapFile
	case "no direction":
		b.Caps &^= registry.CapIngress
	case "layers":
		b.Layers = flow.LayerFrame
	case "clock":
		b.Clock = 1 - b.Clock
	case "wants":
		b.Wants = []string{"nothing"}
	case "shorthand":
		b.Shorthands = []registry.Shorthand{{Name: "f", Option: "nothing"}}
	case "ip only":
		b.Layers = flow.LayerIP
	case "shared config":
		if f.shared == nil {
			f.shared = &fakeConfig{fake: f}
		}
		b.New = func() registry.BackendConfig { return f.shared }
	}
	return b
}

type fakeConfig struct {
	fake *fake
	file string
}

func (c *fakeConfig) Flags(fs *flag.FlagSet) {
	usage := "the file"
	switch c.fake.broken {
	case "usage":
		usage = ""
	case "option name":
		fs.Bool("Bad_Name", false, "badly named")
	}
	fs.StringVar(&c.file, "file", c.file, usage)
}

func (c *fakeConfig) Probe(context.Context) registry.ProbeResult {
	r := registry.ProbeResult{Checks: []registry.Check{{Name: "file"}}}
	if c.file == "" {
		err := errors.Join(registry.ErrUnsupported, errors.New("no file"))
		r = registry.ProbeResult{Verdict: registry.No, Err: err, Checks: []registry.Check{
			{Name: "file", Verdict: registry.No, Reason: "no file"},
		}}
	}
	switch c.fake.broken {
	case "verdict":
		r.Verdict = 7
	case "probe error":
		r.Err = errors.New("but it works")
	case "probe says no":
		r.Verdict, r.Err = registry.No, registry.ErrUnsupported
	case "probe kind":
		r.Verdict, r.Err = registry.No, io.ErrUnexpectedEOF
	case "probe denied":
		r.Verdict, r.Err = registry.No, registry.ErrPermission
	case "no checks":
		r.Checks = nil
	case "check reason":
		r.Checks[0].Verdict = registry.Inconclusive
		r.Checks[0].Reason = ""
	case "probe leaks":
		go func() { select {} }()
	case "probe hangs":
		select {}
	}
	return r
}

func (c *fakeConfig) Open(_ context.Context, env registry.BackendEnv) (registry.Source, error) {
	if c.file == "" {
		switch c.fake.broken {
		case "failed open leaks":
			c.fake.leak()
		case "open succeeds":
			return &fakeSource{fake: c.fake}, nil
		case "source and error":
			return &fakeSource{fake: c.fake}, registry.ErrUsage
		case "kind of error":
			return nil, errors.New("no file")
		}
		return nil, registry.ErrUsage
	}
	s := &fakeSource{fake: c.fake, interval: env.Interval}
	switch c.fake.broken {
	case "close leaks goroutine":
		go func() { select {} }()
	case "close leaks file":
		c.fake.leak()
	case "open hangs":
		select {}
	case "nil source":
		return nil, nil
	}
	return s, nil
}

type fakeSource struct {
	fake     *fake
	interval time.Duration
	next     int // number of the next packet
	closed   bool
}

var fakeKey = flow.Pack(flow.Key{
	Src: netip.MustParseAddrPort("192.0.2.1:1"), Dst: netip.MustParseAddrPort("192.0.2.2:2"), Proto: flow.UDP,
})

var fakeStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (s *fakeSource) Collect(ctx context.Context, b *flow.Batch) error {
	if s.fake.broken == "ignores cancel" {
		select {}
	}
	n := 0
	if s.fake.live && ctx.Err() == nil {
		n = s.fake.wire.take()
	}
	now := time.Now()
	s.closeWindow(b)
	if s.fake.broken == "counts after the window" {
		now = time.Now()
	}
	if ctx.Err() != nil {
		if s.fake.broken == "cancel is an error" {
			return ctx.Err()
		}
		return nil
	}
	if s.fake.live {
		s.collectLive(b, n, now)
		return nil
	}
	return s.collectFile(b)
}

func (s *fakeSource) closeWindow(b *flow.Batch) {
	switch s.fake.broken {
	case "never closes":
		return
	case "record first":
		s.put(b, fakeStart, fakeStart)
	case "closes twice":
		b.WindowClosed(time.Time{})
	case "closes for records only":
		if s.next > 0 {
			return
		}
	}
	b.WindowClosed(time.Time{})
}

// collectLive returns n packets.
func (s *fakeSource) collectLive(b *flow.Batch, n int, now time.Time) {
	if s.fake.broken == "loses while running" && n > 0 && n < fakePackets {
		n--
	}
	for range n {
		s.put(b, now, now)
	}
	if n > 0 && s.fake.broken == "counts again later" {
		s.fake.wire.send(1)
		s.fake.broken = ""
	}
}

// collectFile returns the packets of one interval.
func (s *fakeSource) collectFile(b *flow.Batch) error {
	at := func(i int) time.Time { return fakeStart.Add(time.Duration(i) * time.Second) }
	b.Start = at(s.next)
	end := at(fakePackets)
	if s.interval > 0 && s.fake.broken != "ignores interval" {
		end = b.Start.Add(s.interval)
	}
	for ; s.next < fakePackets && at(s.next).Before(end); s.next++ {
		t := at(s.next)
		switch s.fake.broken {
		case "loses one":
			if s.next == 5 {
				continue
			}
		case "loses at window ends":
			if s.next > 0 && t.Equal(b.Start) {
				continue
			}
		case "outside the window":
			t = t.Add(-time.Hour)
		}
		b.End = t
		switch s.fake.broken {
		case "out of order":
			t = t.Add(-time.Hour)
			if b.Earliest.IsZero() {
				b.Earliest = t
			}
		case "earliest after the start":
			b.Earliest = b.Start.Add(time.Second)
		}
		s.put(b, t, t)
	}
	if s.fake.broken == "overlapping windows" {
		b.Start = fakeStart
	}
	switch {
	case s.next < fakePackets:
		b.End = end
		return nil
	case s.fake.broken == "EOF once":
		s.next = 0
	}
	if s.fake.broken == "counts to other" {
		b.Overflow.Add(flow.OverflowTableFull, flow.Counters{Packets: 1})
	}
	return io.EOF
}

func (s *fakeSource) put(b *flow.Batch, first, last time.Time) {
	r := flow.Record{
		Key:      fakeKey,
		Counters: flow.Counters{Packets: 1, Bytes: 100, FrameBytes: 114},
		First:    first.UnixNano(), Last: last.UnixNano(),
	}
	switch s.fake.broken {
	case "one byte":
		r.Bytes++
	case "no packets":
		b.Add(flow.Record{Key: fakeKey, First: r.First, Last: r.Last})
	case "first after last":
		r.First, r.Last = r.Last+1, r.First
	case "key":
		r.Key.L4Kind = flow.L4Subtype
	case "not IP":
		r.Key = flow.Packed{EtherType: 0x88cc}
	case "short frames":
		r.Bytes, r.FrameBytes = r.FrameBytes, r.Bytes
	case "interface":
		r.Key.Ifindex = 3
	}
	b.Add(r)
}

func (s *fakeSource) Attachment() registry.Attachment {
	if s.fake.broken == "method" {
		return registry.Attachment{}
	}
	return registry.Attachment{Method: "fake", Interfaces: []flow.Interface{{Index: 7, Name: "fake0"}}}
}

func (s *fakeSource) Close() error {
	defer func() { s.closed = true }()
	switch {
	case s.fake.broken == "close error":
		return errors.New("cannot close")
	case s.closed && s.fake.broken == "close twice":
		return os.ErrClosed
	case s.fake.broken == "close hangs":
		select {}
	}
	return nil
}
