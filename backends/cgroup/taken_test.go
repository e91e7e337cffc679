package cgroup

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestTakenOff: pktstat attaches again what another program detaches, without a Collect.
func TestTakenOff(t *testing.T) {
	testenv.Privileged(t)
	dir := subgroup(t, "taken")
	a, _ := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "cgroup", []string{"-path=" + dir}, a)
	sendFrom(t, a.Host, dir, 3)
	wantPackets(t, s, 3)
	id := uint64(inode(t, dir))
	livetest.Links(t, func(l link.Link, info *link.Info) error {
		if g := info.Cgroup(); g == nil || g.CgroupId&(1<<32-1) != id {
			return nil
		}
		return l.Detach()
	})
	for _, dir := range []string{dir + " ingress", dir + " egress"} {
		s.WaitNote("another program detached pktstat from " + dir + ": attached again, up to ")
	}
	if said := s.Said(); len(said) == 0 || len(said) > 2 || !strings.Contains(said[0], "another program detached pktstat from "+dir) {
		t.Errorf("said %q", said)
	}
	sendFrom(t, a.Host, dir, 4)
	wantPackets(t, s, 4)
}

// TestGroupReturns: a group that is removed and made again counts again, and so do its old
// sockets.
func TestGroupReturns(t *testing.T) {
	testenv.Privileged(t)
	dir := subgroup(t, "returns")
	a, _ := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "cgroup", []string{"-path=" + dir}, a)
	sendFrom(t, a.Host, dir, 3)
	old := socketOf(t, a.Host, dir)
	remove(t, dir)
	s.WaitSaid("control group " + dir + " has gone: counting in it ended, and resumes when it returns")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.WaitSaid("control group " + dir + " has returned: counting on it again")
	sendFrom(t, a.Host, dir, 4)
	write(t, old, 5)
	wantPackets(t, s, 3+4+5)
	if s.HasNote("another program") {
		t.Errorf("notes %q", s.Attachment().Notes)
	}
	remove(t, dir)
	s.Close()                                    // also of a removed group
	if err := os.Mkdir(dir, 0o755); err != nil { // as subgroup left it
		t.Fatal(err)
	}
}

// remove removes a group. Processes that have left it may keep it for a moment.
func remove(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := os.Remove(dir)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// sendFrom sends datagrams from a group to a closed port, on lo.
func sendFrom(t *testing.T, h *testnet.Host, dir string, n int) {
	t.Helper()
	write(t, socketOf(t, h, dir), n)
}

// socketOf makes a socket in a group.
func socketOf(t *testing.T, h *testnet.Host, dir string) net.Conn {
	t.Helper()
	if err := moveTo(dir); err != nil {
		t.Fatal(err)
	}
	var c net.Conn
	err := h.Do(func() (err error) {
		c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:9")))
		return err
	})
	if back := moveTo(testGroup); err != nil || back != nil {
		t.Fatal(err, back)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// write sends datagrams. The closed port answers one with an error, which the next write returns.
func write(t *testing.T, c net.Conn, n int) {
	t.Helper()
	for sent := 0; sent < n; {
		if _, err := c.Write(make([]byte, 10)); err == nil {
			sent++
		}
	}
}

func wantPackets(t *testing.T, s *livetest.Source, n uint64) {
	t.Helper()
	records := slices.DeleteFunc(s.Records(), func(r flow.Record) bool { return r.Key.Key().Dir != flow.Egress })
	if got := livetest.Sum(records, flow.Key{}); got.Packets != n {
		t.Errorf("counted %d packets, sent %d", got.Packets, n)
	}
}
