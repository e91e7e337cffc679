package influx

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// target is a registry.Writer in memory that takes limit bytes.
type target struct {
	bytes.Buffer
	limit           int
	commits, aborts int
}

var errFull = errors.New("the target is full")

func (t *target) Write(p []byte) (int, error) {
	if t.Len()+len(p) > t.limit {
		return 0, errFull
	}
	return t.Buffer.Write(p)
}

func (t *target) Commit() error { t.commits++; return nil }
func (t *target) Abort() error  { t.aborts++; return nil }

// open opens the output as pktstat does, by its registration.
func open(t *testing.T, to *target, options ...string) (registry.Sink, error) {
	t.Helper()
	out, err := registry.Outputs.Lookup("influx")
	if err != nil {
		t.Fatal(err)
	}
	config := out.New()
	fs := flag.NewFlagSet("influx", flag.ContinueOnError)
	config.Flags(fs)
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if err := fs.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	return config.Open(t.Context(), registry.OutputEnv{Create: func() (registry.Writer, error) { return to, nil }})
}

func report(final bool, ifaceName string) *flow.Report {
	start := time.Unix(1_800_000_000, 0)
	r := &flow.Report{
		Seq: 1, Final: final, Backend: "tc", Interfaces: []flow.Interface{{Index: 2, Name: ifaceName}},
		Start: start, End: start.Add(time.Second), Dims: flow.DimsFlow, RateLayer: flow.LayerFrame,
	}
	add := func(k flow.Key, packets uint64) {
		c := flow.Counters{Packets: packets, Bytes: packets * 100, FrameBytes: packets * 114}
		r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c, Total: c})
		r.Total.Add(c)
	}
	addr := netip.MustParseAddrPort
	add(flow.Key{Src: addr("192.0.2.1:443"), Dst: addr("192.0.2.2:50000"), Proto: flow.TCP, Dir: flow.Ingress, Ifindex: 2}, 10)
	add(flow.Key{Src: addr("[2001:db8::1]:0"), Dst: addr("[2001:db8::2]:0"), Proto: flow.ICMPv6, Subtype: 128 << 8, VLAN: 7, Ifindex: 9}, 2)
	add(flow.Key{EtherType: 0x88cc, Dir: flow.Egress}, 1)
	r.Lost = flow.Counters{Packets: 1, Bytes: 60, FrameBytes: 74}
	r.Total.Add(r.Lost)
	r.FlowCount = len(r.Packed)
	return r
}

func TestLines(t *testing.T) {
	to := &target{limit: 1 << 20}
	s, err := open(t, to, "measurement=net traffic")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*flow.Report{report(false, "eth0"), report(true, "eth0")} {
		if err := s.Write(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const points = `net\ traffic,span=SPAN,backend=tc,proto=TCP,src=192.0.2.1,src_port=443,dst=192.0.2.2,dst_port=50000,direction=ingress,iface=eth0 packets=10i,bytes=1000i,frame_bytes=1140i 1800000001000000000
net\ traffic,span=SPAN,backend=tc,proto=IPv6-ICMP,src=2001:db8::1,dst=2001:db8::2,subtype=32768,vlan=7,ifindex=9 packets=2i,bytes=200i,frame_bytes=228i 1800000001000000000
net\ traffic,span=SPAN,backend=tc,proto=ETH,ethertype=0x88cc,direction=egress packets=1i,bytes=100i,frame_bytes=114i 1800000001000000000
net\ traffic_sum,span=SPAN,backend=tc,sum=total packets=14i,bytes=1360i,frame_bytes=1556i 1800000001000000000
net\ traffic_sum,span=SPAN,backend=tc,sum=rest packets=0i,bytes=0i,frame_bytes=0i 1800000001000000000
net\ traffic_sum,span=SPAN,backend=tc,sum=overflow packets=0i,bytes=0i,frame_bytes=0i 1800000001000000000
net\ traffic_sum,span=SPAN,backend=tc,sum=lost packets=1i,bytes=60i,frame_bytes=74i 1800000001000000000
`
	want := strings.ReplaceAll(points, "SPAN", "interval") + strings.ReplaceAll(points, "SPAN", "run")
	if got := to.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if to.commits != 1 || to.aborts != 0 {
		t.Errorf("%d commits, %d aborts", to.commits, to.aborts)
	}
}

// Only what flows are grouped by is a tag.
func TestDims(t *testing.T) {
	r := report(true, "eth0")
	r.Dims = flow.DimDst
	for row := range r.Rows() {
		line := string(appendFlow(nil, "m", r, &row))
		if regexp.MustCompile(`proto=|src|dst_port|sub|vlan|direction|if`).MatchString(line) {
			t.Errorf("by dst: %s", line)
		}
	}
}

// A hostile name makes neither a second point nor a second tag.
func TestHostileNames(t *testing.T) {
	point := regexp.MustCompile(`^m(,[a-z_]+=(\\[,= ]|[^,= \\])+)+ packets=\d+[iu],bytes=\d+[iu],frame_bytes=\d+[iu] \d+\n$`)
	for _, name := range []string{"a b,c=d", "x\ninjected,sum=lost packets=0i", `end\`, "\x1b[2J", "\xff", "\u202e", "eth0"} {
		r := report(true, name)
		for row := range r.Rows() {
			if line := string(appendFlow(nil, "m", r, &row)); !point.MatchString(line) {
				t.Errorf("%q: %q", name, line)
			}
		}
	}
}

func TestLargeCounters(t *testing.T) {
	for v, want := range map[uint64]string{0: "0i", 1<<63 - 1: "9223372036854775807i", 1 << 63: "9223372036854775808u"} {
		if got := string(appendUint(nil, v)); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}

// Wherever the target fails, the error comes out and nothing is committed.
func TestFailedWrites(t *testing.T) {
	for limit := 0; ; limit += 50 {
		to := &target{limit: limit}
		s, err := open(t, to)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Write(context.Background(), report(true, "eth0"))
		if closeErr := s.Close(); closeErr != nil {
			t.Errorf("close: %v", closeErr)
		}
		if err == nil {
			if to.commits != 1 || limit == 0 {
				t.Errorf("limit %d: no error, %d commits", limit, to.commits)
			}
			return
		}
		if !errors.Is(err, errFull) || to.commits != 0 || to.aborts != 1 {
			t.Errorf("limit %d: %v, %d commits, %d aborts", limit, err, to.commits, to.aborts)
		}
	}
}

func TestNoFinalReport(t *testing.T) {
	to := &target{limit: 1 << 20}
	s, err := open(t, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Write(t.Context(), report(false, "eth0")), s.Close()); err != nil || to.commits != 0 || to.aborts != 1 {
		t.Errorf("%v, %d commits, %d aborts", err, to.commits, to.aborts)
	}
}

func TestFailedOpen(t *testing.T) {
	if _, err := open(t, nil, "measurement="); !errors.Is(err, registry.ErrUsage) {
		t.Errorf("without a measurement: %v", err)
	}
	refused := fmt.Errorf("write to x: %w", errFull)
	c := &config{measurement: "m"}
	_, err := c.Open(t.Context(), registry.OutputEnv{Create: func() (registry.Writer, error) { return nil, refused }})
	if !errors.Is(err, errFull) {
		t.Errorf("with a target that cannot be created: %v", err)
	}
}
