package process_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestPingElsewhere: one process has pinged a host and keeps its socket. It must not get replies
// that another process asked for from another host, nor packets after both have ended.
func TestPingElsewhere(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		for _, kind := range []string{"ping", "rawping"} {
			for _, connect := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s,connect=%v", kind, connect), func(t *testing.T) { pingElsewhere(t, backend, kind, connect) })
			}
		}
	})
}

func pingElsewhere(t *testing.T, backend, kind string, connect bool) {
	h := testnet.NewHost(t)
	testnet.Sysctl(t, h, "net/ipv4/ping_group_range", "0 2147483647")
	one, first := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{})
	two, second := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{})
	w := observeAll(t, backend, []*testnet.Iface{one, two})
	p := start(t, h, role{Name: kind + ".one", Remote: at(first.IPv4, 0), Connect: connect})
	w.collect()
	toFirst := conversation{flow.ICMP, at(one.IPv4, 0), at(first.IPv4, 0)}
	known := w.ifUnknown(flow.MatchPort)
	if connect {
		known = w.ifUnknown(flow.MatchExact)
	}
	w.expectEach(toFirst, p.pid(), kind+".one", known)
	w.collect()
	w.collect()

	q := start(t, h, role{Name: kind + ".two", Remote: at(second.IPv4, 0)})
	w.collect()
	for _, r := range w.of(conversation{flow.ICMP, at(two.IPv4, 0), at(second.IPv4, 0)}) {
		o := w.owners.Get(r.Key.OwnerID)
		want := w.ifUnknown(flow.MatchPort)(r.Key.Dir)
		if want == flow.MatchExact && kind == "rawping" && r.Key.Dir == flow.Ingress {
			continue // each raw socket gets the reply
		}
		if want == flow.MatchPort && !connect && !process.Tracked(w.att) {
			want = flow.MatchShared // either socket may have sent it
		}
		if r.Match != want || want != flow.MatchShared && o.PID != q.pid() {
			t.Errorf("%v to another host: %+v %v, want %d %v", r.Key.Dir, o, r.Match, q.pid(), want)
		}
	}

	p.end()
	q.end()
	for range 3 {
		w.collect()
	}
	w.records = nil
	one.SendFrames(1, one.Ethernet(first.MAC, 0x0800, echoRequest(one, first)))
	one.Settle()
	w.collect()
	seen := 0
	for _, r := range w.of(toFirst) {
		seen++
		if r.Match != flow.MatchNone || r.Key.OwnerID != 0 {
			t.Errorf("%v after the processes have ended: %+v %v", r.Key.Dir, w.owners.Get(r.Key.OwnerID), r.Match)
		}
	}
	if seen == 0 && !w.sockets {
		t.Error("the last ping was not seen")
	}
}

// echoRequest returns an IPv4 packet that is sent through no socket.
func echoRequest(from, to *testnet.Iface) []byte {
	b := make([]byte, 20+8)
	b[0], b[3], b[8], b[9] = 0x45, byte(len(b)), 64, 1
	copy(b[12:], from.IPv4.AsSlice())
	copy(b[16:], to.IPv4.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20]))
	b[20] = 8
	binary.BigEndian.PutUint16(b[22:], checksum(b[20:]))
	return b
}
