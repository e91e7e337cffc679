package test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// steady sends a frame every steadyEvery or less often, and records when.
type steady struct {
	mu   sync.Mutex
	sent []time.Time
	quit chan struct{}
	done sync.WaitGroup
}

const steadyEvery = 20 * time.Millisecond

func startSteady(t *testing.T, from *testnet.Iface) *steady {
	t.Helper()
	sender, err := from.OpenSender()
	if err != nil {
		t.Fatal(err)
	}
	s := &steady{quit: make(chan struct{})}
	frame := from.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46))
	s.done.Go(func() {
		defer sender.Close()
		for {
			select {
			case <-s.quit:
				return
			case <-time.After(steadyEvery):
			}
			s.mu.Lock()
			s.sent = append(s.sent, time.Now())
			s.mu.Unlock()
			if err := sender.Send(frame); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return s
}

func (s *steady) stop() { close(s.quit); s.done.Wait() }

// between returns how many frames were sent in a span of time.
func (s *steady) between(from, to time.Time) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.sent {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// TestRatesOfManyInterfaces: packets cross the first interface while the backend attaches to the
// others, one by one. A report must have only the packets of its own time. So rates are right from
// the first interval on, and --exit-over does not fire.
func TestRatesOfManyInterfaces(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	far, near := testnet.Connect(t, testnet.NewHost(t), h, testnet.Link{})
	const more = 40
	for i := range more {
		veth := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprint("more", i)})
		veth.PeerName = fmt.Sprint("peer", i)
		if err := h.Netlink().LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
	}
	for _, backend := range []string{"tc --tc-attach=tcx", "tc", "afpacket", "xdp"} {
		t.Run(backend, func(t *testing.T) {
			testenv.Feature(t, backend, "6.6", func() error {
				p := start(t, h, strings.Fields("-i "+near.Name+" -t 1ms -b "+backend)...)
				if code := p.wait(); code != 0 {
					return fmt.Errorf("exit code %d: %s", code, p.errors())
				}
				return nil
			})
			s := startSteady(t, far)
			p := start(t, h, strings.Fields("-i "+near.Name+" -i more* -t 2s -r 500ms --exit-over pps=90/500ms --output ndjson -b "+backend)...)
			code := p.wait()
			s.stop()
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, p.errors())
			}
			lines := strings.Split(strings.TrimSpace(p.stdout.String()), "\n")
			if len(lines) != 5 { // the machine is busy
				t.Logf("%d reports, 5 otherwise", len(lines))
			}
			for _, line := range lines {
				r := parseReport(t, []byte(line))
				// afpacket may read a ring 40 ms late, and the machine may be busy.
				const slack = 200 * time.Millisecond
				least, most := s.between(r.Start.Add(slack), r.End.Add(-slack)), s.between(r.Start.Add(-slack), r.End.Add(slack))
				if r.Total.Packets < least || r.Total.Packets > most {
					t.Errorf("report %d, final %t, %v s: %d packets, between %d and %d were sent", r.Seq, r.Final, r.Duration, r.Total.Packets, least, most)
				}
			}
		})
	}
}
