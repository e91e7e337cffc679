package cmd

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// coveredSource is a fakeSource with a coverage.
type coveredSource struct {
	*fakeSource
	coverage []flow.Coverage
}

func (s coveredSource) Coverage() []flow.Coverage { return s.coverage }

type coveredBackend struct {
	*fakeBackend
	coverage []flow.Coverage
}

func (b coveredBackend) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	src, err := b.fakeBackend.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	return coveredSource{src.(*fakeSource), b.coverage}, nil
}

// coverageOf returns a coverage of lo by 1000 bytes a packet.
func coverageOf(dir flow.Direction, counted, linked uint64, reasons ...string) flow.Coverage {
	return flow.Coverage{
		Interface: flow.Interface{Index: 1, Name: "lo"}, Dir: dir, Packets: counted, FrameBytes: 1000 * counted,
		LinkPackets: linked, LinkBytes: 1000 * linked, Reasons: reasons,
	}
}

// TestVerify: verify names each difference and its reason. The exit code is about differences
// without a reason.
func TestVerify(t *testing.T) {
	short := coverageOf(flow.Egress, 10, 10)
	short.LinkBytes = 9860
	for _, c := range []struct {
		name     string
		coverage []flow.Coverage
		code     int
		want     []string
	}{
		{"nothing", []flow.Coverage{}, 0, []string{"no packet passed"}},
		{"all", []flow.Coverage{coverageOf(flow.Ingress, 10, 10)}, 0, []string{
			"lo         ingress    live (fake)       10           10  100.00 %        10000        10000  100.00 %",
			"every packet and every byte is accounted for",
		}},
		{"explained", []flow.Coverage{coverageOf(flow.Ingress, 8, 10, "one", "two")}, 0, []string{
			"lo ingress by live: 2 packets less than the interface's own counter: one; two",
			"every difference is explained",
		}},
		{"not explained", []flow.Coverage{coverageOf(flow.Ingress, 8, 10, "one"), coverageOf(flow.Egress, 12, 10), short}, 11, []string{
			"lo ingress by live: 2 packets less than the interface's own counter: one\n",
			"lo egress by live: 2 packets more than the interface's own counter: not explained\n",
			"lo egress by live: 140 bytes more than the interface's own counter: not explained\n",
		}},
	} {
		b := newBench(t)
		live := b.registered["live"]
		live.New = func() registry.BackendConfig { return coveredBackend{b.live, c.coverage} }
		b.registered["live"] = live
		code := b.run(t.Context(), "verify", "-i", "lo", "-t", "10ms")
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", c.name, code, c.code, b.stderr.String())
		}
		for _, w := range c.want {
			if !strings.Contains(b.stdout.String(), w) {
				t.Errorf("%s: no %q in\n%s", c.name, w, b.stdout.String())
			}
		}
		if got := strings.Contains(b.stderr.String(), "2 differences are not explained"); got != (code == 11) {
			t.Errorf("%s: stderr %q", c.name, b.stderr.String())
		}
	}
}

// TestVerifyBesides: the second backend is of another kind, and may fail.
func TestVerifyBesides(t *testing.T) {
	b := newBench(t)
	cov := []flow.Coverage{coverageOf(flow.Ingress, 10, 10)}
	second := b.registered["live"]
	second.Cost = registry.CostCopy
	b.spare.log, b.spare.opened = new([]string), new(registry.BackendEnv) // both open at the same time
	for name, fake := range map[string]*fakeBackend{"live": b.live, "second": b.spare} {
		r := b.registered["live"]
		r.Cost = second.Cost
		if name == "live" {
			r.Cost = registry.CostQdisc
		}
		r.New = func() registry.BackendConfig { return coveredBackend{fake, cov} }
		b.registered[name] = r
	}
	if code := b.run(t.Context(), "verify", "-i", "lo", "-t", "10ms", "-b", "second"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.stderr.String())
	}
	first, other := strings.Index(b.stdout.String(), "second (fake)"), strings.Index(b.stdout.String(), "live (fake)")
	if first < 0 || other < first {
		t.Errorf("want second, then live:\n%s", b.stdout.String())
	}
	b.spare.open = errors.New("no room")
	if code := b.run(t.Context(), "verify", "-i", "lo", "-t", "10ms"); code != 0 || !strings.Contains(b.stdout.String(), "second did not count: backend second: no room\n") {
		t.Errorf("exit code %d:\n%s%s", code, b.stdout.String(), b.stderr.String())
	}
	b.live.open = registry.NeedCaps(syscall.EPERM, "cap_bpf")
	if code := b.run(t.Context(), "verify", "-i", "lo", "-t", "10ms"); code != exitPermission || strings.Count(b.stderr.String(), "pktstat: ") != 1 {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
}

// TestVerifyMistakes: bad input gets one line.
func TestVerifyMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"verify -i lo -t 0":                   "must be above 0; try 'pktstat verify --help'",
		"verify -i lo -t x":                   "try 'pktstat verify --help'",
		"verify lo":                           "for this interface: verify -i lo",
		"verify -i lo -b spare":               "backend spare (--backend spare) does not count on interfaces",
		"verify -i lo -b liv":                 "is live meant?",
		"verify -i nosuch0":                   `interface "nosuch0" does not exist`,
		"verify -i lo -t 10ms --backend live": "backend live: not supported: the interfaces' own counters cannot be read",
	} {
		b := newBench(t)
		code := b.run(t.Context(), strings.Fields(args)...)
		text := b.stderr.String()
		if code == 0 || !strings.Contains(text, want) || strings.Count(text, "pktstat: ") != 1 {
			t.Errorf("%s: exit code %d: %q, want %q", args, code, text, want)
		}
	}
}

// TestVerifyLive: two real backends count what the interface counts.
func TestVerifyLive(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	cmd := pktstat(t, "verify", "-i", a.Name, "-t", "1h")
	r := launch(t, cmd, func() error { return a.Start(cmd) })
	for range 2 {
		if line := r.line(); !strings.HasPrefix(line, "counting on "+a.Name+" (") {
			t.Fatalf("stderr: %q", line)
		}
	}
	testnet.SendTCP(t, a, b, testnet.TCP{Request: 5 << 20, Reply: 5 << 20})
	a.Settle()
	r.signal(syscall.SIGINT)
	if code, lines := r.end(); code != 0 || lines != nil {
		t.Errorf("exit code %d, stderr %q", code, lines)
	}
	text := r.stdout.String()
	for _, want := range []string{"ingress    tc (", "ingress    afpacket (", "egress     tc (", "egress     afpacket (", "every packet and every byte is accounted for\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "100.00 %"); n != 8 {
		t.Errorf("%d of 8 are covered:\n%s", n, text)
	}
}
