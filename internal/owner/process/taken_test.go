package process_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestTakenOff: another program detaches programs from the root cgroup, and pktstat attaches them
// again. After that, short-lived sockets have their processes again.
func TestTakenOff(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	start(t, b.Host, role{Name: "udpserver.main", Local: at(b.IPv4, udpPort)})
	said := make(chan string, 10)
	w := observe(t, "tc", a, func(o *process.Options) {
		o.Notify = func(f string, args ...any) { said <- fmt.Sprintf(f, args...) }
	})
	ask := func(name string) {
		t.Helper()
		p := launch(t, a.Host, role{Name: name, Remote: at(b.IPv4, udpPort), Size: 20})
		c := conversation{flow.UDP, at(a.IPv4, number(t, p.answer())), at(b.IPv4, udpPort)}
		p.end()
		w.collect()
		w.expect(c, p.pid(), name, flow.MatchExact)
	}
	ask("udpquery.before")
	all := atCgroups(t, func(link.Link) error { return nil })
	if n := atCgroups(t, link.Link.Detach); n == 0 {
		t.Fatal("found no link to detach")
	}
	const text = "processes: another program detached pktstat's programs from the root cgroup: attached again, the owners of sockets that opened or closed in up to "
	if line := <-said; !strings.HasPrefix(line, text) { // without a Sync
		t.Errorf("printed %q", line)
	}
	for end := time.Now().Add(30 * time.Second); atCgroups(t, func(link.Link) error { return nil }) < all; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not all programs are attached again")
		}
	}
	w.collect()
	// pktstat may have attached programs again before all were detached.
	if notes := w.att.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "detached pktstat's programs from the root cgroup") {
		t.Errorf("notes %q", notes)
	}
	w.collect() // the epoch after a gap is incomplete, too
	ask("udpquery.after")
}

// atCgroups calls f for each cgroup link of this process, and returns how many links it found.
func atCgroups(t *testing.T, f func(link.Link) error) (n int) {
	t.Helper()
	livetest.Links(t, func(l link.Link, info *link.Info) error {
		if g := info.Cgroup(); g == nil || g.CgroupId == 0 {
			return nil
		}
		n++
		return f(l)
	})
	return n
}
