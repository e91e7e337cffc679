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

// TestTakenOff: programs at the root cgroup that another program detaches are attached
// again: from then on, sockets that come and go between two looks have their processes.
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
		t.Fatal("no link was detached")
	}
	const text = "processes: another program took pktstat's programs off the root cgroup: attached again, who had sockets that came or went in up to "
	if line := <-said; !strings.HasPrefix(line, text) { // without a Sync
		t.Errorf("said %q", line)
	}
	for end := time.Now().Add(30 * time.Second); atCgroups(t, func(link.Link) error { return nil }) < all; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not all are attached again")
		}
	}
	w.collect()
	// It may have been attached again when some were not detached yet.
	if notes := w.att.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "took pktstat's programs off the root cgroup") {
		t.Errorf("notes %q", notes)
	}
	w.collect() // in the epoch after a gap, too, nothing is concluded from what was not seen
	ask("udpquery.after")
}

// atCgroups calls f with each link of this process that is attached to a cgroup, and returns
// how many there are.
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
