package cmd

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/iface"
	"github.com/pktstat/pktstat/registry"
)

// fakeBackend counts one packet at each Collect. It serves to test what the command line does with
// a backend's registration and options. process_test.go tests real backends and outputs, with the
// real binary.
type fakeBackend struct {
	file    string
	mode    string
	fast    bool
	snap    int
	probe   registry.ProbeResult
	open    error
	eof     bool // the first Collect is the last
	log     *[]string
	opened  *registry.BackendEnv
	started chan<- struct{} // closed at the second Collect, because the first one comes before counting starts
	stuck   chan struct{}   // Collect waits for it, if it is set
	opening func(context.Context) error
	detach  chan struct{} // Close waits for it, if not nil
}

func (b *fakeBackend) Flags(fs *flag.FlagSet) {
	fs.StringVar(&b.file, "file", "", "`FILE` to read")
	fs.StringVar(&b.mode, "attach-mode", "auto", "how to attach")
	fs.BoolVar(&b.fast, "fast", false, "hurry")
	fs.IntVar(&b.snap, "snap", 96, "`BYTES` of a packet")
}

func (b *fakeBackend) Probe(context.Context) registry.ProbeResult { return b.probe }

func (b *fakeBackend) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	if b.opening != nil {
		return nil, b.opening(ctx)
	}
	if b.open != nil {
		return nil, b.open
	}
	*b.opened = env
	*b.log = append(*b.log, fmt.Sprintf("file=%s mode=%s fast=%t snap=%d", b.file, b.mode, b.fast, b.snap))
	return &fakeSource{b: b}, nil
}

type fakeSource struct {
	b        *fakeBackend
	counting bool // Collect was called
}

func (s *fakeSource) Collect(_ context.Context, b *flow.Batch) error {
	now := time.Now().UnixNano()
	b.WindowClosed(time.Time{})
	b.Add(flow.Record{Counters: flow.Counters{Packets: 1, Bytes: 50, FrameBytes: 64}, First: now, Last: now})
	if s.b.eof {
		b.Start, b.End = time.Unix(0, now), time.Unix(1, now)
		return io.EOF
	}
	if !s.counting {
		s.counting = true
		return nil
	}
	if s.b.started != nil {
		close(s.b.started)
		s.b.started = nil
	}
	if s.b.stuck != nil {
		<-s.b.stuck
	}
	return nil
}

func (s *fakeSource) Close() error {
	if s.b.detach != nil {
		<-s.b.detach
	}
	return nil
}

func (s *fakeSource) Attachment() registry.Attachment {
	return registry.Attachment{Method: "fake", Interfaces: s.b.opened.Interfaces}
}

// fakeOutput writes a line for each report.
type fakeOutput struct {
	wide  bool
	title string
	open  error
	stops bool // ends the run at its first report
}

func (o *fakeOutput) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&o.wide, "wide", false, "all columns")
	fs.StringVar(&o.title, "title", "", "`TEXT` above")
}

func (o *fakeOutput) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	if o.open != nil {
		return nil, o.open
	}
	w, err := env.Create()
	if err != nil {
		return nil, err
	}
	return &fakeSink{fakeOutput: o, w: w, stop: env.Stop}, nil
}

type fakeSink struct {
	*fakeOutput
	w     registry.Writer
	stop  func()
	final bool
}

func (s *fakeSink) Write(_ context.Context, r *flow.Report) error {
	if s.stops && !r.Final {
		s.stop()
		s.stop() // a second call is harmless
	}
	s.final = r.Final
	_, err := fmt.Fprintf(s.w, "final=%t packets=%d backend=%s title=%q wide=%t\n",
		r.Final, r.Run.Total.Packets, r.Backend, s.title, s.wide)
	return err
}

func (s *fakeSink) Close() error {
	if s.final {
		return s.w.Commit()
	}
	return s.w.Abort()
}

// bench is an App with fake plugins and buffers.
type bench struct {
	App
	stdout, stderr buffer

	live, spare, file *fakeBackend
	registered        map[string]registry.Backend
	out               *fakeOutput
	log               []string
	env               registry.BackendEnv
}

// buffer is a bytes.Buffer that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) Len() int { return len(b.String()) }

func (b *buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

// newBench returns an App with fake plugins. The backends live and spare (which costs more) see
// live traffic, and reader reads files. The outputs are table, final, page, each and screen.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{out: &fakeOutput{}}
	fake := func() *fakeBackend { return &fakeBackend{log: &b.log, opened: &b.env} }
	b.live, b.spare, b.file = fake(), fake(), fake()
	b.file.eof = true
	both := registry.CapIngress | registry.CapEgress
	b.registered = map[string]registry.Backend{
		"live": {
			Summary: "live traffic", Caps: both | registry.CapLive | registry.CapInterfaces, Cost: registry.CostQdisc,
			Layers: flow.LayerIP | flow.LayerFrame, New: func() registry.BackendConfig { return b.live },
		},
		"spare": {
			Summary: "live traffic, dearer", Caps: both | registry.CapLive, Cost: registry.CostCopy, Layers: flow.LayerIP,
			Shorthands: []registry.Shorthand{
				{Name: "x", Long: "spare"},
				{Name: "c", Option: "attach-mode", Usage: "the spare way, attached like this"},
			},
			New: func() registry.BackendConfig { return b.spare },
		},
		"reader": {
			Summary: "captures", Caps: both | registry.CapFile, Cost: registry.CostCopy, Layers: flow.LayerIP,
			Clock: registry.ClockSource, Wants: []string{"file"},
			New: func() registry.BackendConfig { return b.file },
		},
	}
	b.App = App{
		Stdin: strings.NewReader(""), Stdout: &b.stdout, Stderr: &b.stderr,
		Getenv: func(string) string { return "" }, Now: time.Now, Executable: "/opt/pktstat",
		Backends: registry.New[registry.Backend]("backend"), Outputs: registry.New[registry.Output]("output"), Labels: registry.Labels,
	}
	newOut := func() registry.OutputConfig { o := *b.out; return &o }
	b.Outputs.Register("table", registry.Output{Summary: "a table", When: registry.WhenFinal, Top: 40, New: newOut})
	b.Outputs.Register("final", registry.Output{
		Summary: "a file", When: registry.WhenFinal, New: newOut,
		Shorthands: []registry.Shorthand{{Name: "f", Long: "final"}, {Long: "titled", Option: "title"}},
	})
	b.Outputs.Register("page", registry.Output{Summary: "a page", When: registry.WhenFinal, Window: true, New: newOut})
	b.Outputs.Register("each", registry.Output{Summary: "a stream", When: registry.WhenInterval | registry.WhenFinal, New: newOut})
	b.Outputs.Register("screen", registry.Output{Summary: "a screen", When: registry.WhenInterval, TTY: true, New: newOut})
	return b
}

// run runs the App with args and returns its exit code.
func (b *bench) run(ctx context.Context, args ...string) int {
	for name, r := range b.registered {
		b.Backends.Register(name, r)
	}
	b.registered = nil
	b.Args = append([]string{"pktstat"}, args...)
	b.stdout.Reset()
	b.stderr.Reset()
	return b.Run(ctx)
}

// signalWhenCounting sends signals when counting has started.
func (b *bench) signalWhenCounting(sigs ...os.Signal) {
	started, signals := make(chan struct{}), make(chan os.Signal, len(sigs))
	b.live.started, b.Signals = started, signals
	go func() {
		<-started
		for _, s := range sigs {
			signals <- s
		}
	}()
}

// defaultInterface returns the interface that pktstat counts on by default.
func defaultInterface(t *testing.T) string {
	t.Helper()
	s, err := iface.Resolve(nil)
	if err != nil {
		t.Skipf("no default interface here: %v", err)
	}
	return s.Interfaces[0].Name
}
