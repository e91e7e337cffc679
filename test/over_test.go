package test

import (
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestExitOver: a script can wait until a threshold is exceeded. The report has everything up to
// then.
func TestExitOver(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	// At most 200 kB a second: the second in which 100 kB are exceeded ends below 1 MB.
	sent := func(p *process) (all flow.Counters) {
		for done := false; !done; {
			f := testnet.SendUDP(t, b, a, testnet.UDP{SrcPort: 4321, Payload: 1000, Count: 2})
			all.Add(f.Counters)
			select {
			case _, open := <-p.lines:
				done = !open
			case <-time.After(10 * time.Millisecond):
			}
		}
		return all
	}
	for over, measured := range map[string]string{
		"rate=100kbit/300ms": "bps", "pps=5/200ms": "pps", "packets=25": " packets", "bytes=100kB": "kB",
	} {
		p := start(t, a.Host, "-i", a.Name, "-t", "1m", "-r", "1h", "--exit-over", "rate=1Tbit", "--exit-over", over, "-j")
		p.counting()
		most := sent(p)
		line := "pktstat: --exit-over " + over + " is exceeded: "
		if code := p.wait(); code != 10 || !strings.Contains(p.errors(), line) || !strings.HasSuffix(p.errors(), measured+"\n") {
			t.Errorf("%s: exit code %d: %s", over, code, p.errors())
		}
		r := parseReport(t, []byte(p.stdout.String()))
		if !r.Final || r.Total.Packets == 0 || r.Total.Packets > most.Packets {
			t.Errorf("%s: %+v of %+v", over, r.Total, most)
		}
	}
	// A threshold that is not exceeded has no effect.
	p := start(t, a.Host, "-i", a.Name, "-t", "1s", "--exit-over", "rate=1Tbit/100ms", "--exit-over", "packets=1M", "-j")
	p.counting()
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.errors())
	}
}

// TestExitOverInACapture: in a capture, the time of the packets counts.
func TestExitOverInACapture(t *testing.T) {
	for _, c := range []struct {
		over string
		code int
	}{{"rate=1Mbit/3s", 10}, {"rate=1Mbit/1m", 0}, {"packets=2645", 0}, {"packets=2644", 10}} {
		p := start(t, nil, "--pcap-file", "../testdata/mix.pcap", "--exit-over", c.over, "-j")
		if code := p.wait(); code != c.code {
			t.Errorf("%s: exit code %d: %s", c.over, code, p.errors())
		}
		if r := parseReport(t, []byte(p.stdout.String())); !r.Final || r.Total.Packets == 0 {
			t.Errorf("%s: %+v", c.over, r.Total)
		}
	}
}
