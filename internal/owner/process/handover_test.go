package process_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// headers is the length of an IPv4 and a UDP header.
const headers = 20 + 8

// TestHandover: two processes bind the same UDP port in turn, at random times. The length of a
// datagram identifies its sender. No packet may be attributed exactly to the wrong process.
func TestHandover(t *testing.T) {
	onSending(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "udpsink.main", Local: at(b.IPv4, udpPort), N: 2})
		w := observe(t, backend, a)
		// The first sender uses an unconnected socket, the second one sometimes connects.
		const taken = 5400
		sizes := map[uint32]uint64{}
		var takers []*helper
		for i, name := range []string{"udptaker.one", "udptaker.two"} {
			p := start(t, a.Host, role{Name: name, Local: at(netip.IPv4Unspecified(), taken), Remote: at(b.IPv4, udpPort), N: i, Size: 100 + 200*i})
			sizes[p.pid()] = uint64(100 + 200*i + headers)
			takers = append(takers, p)
		}
		for end := time.Now().Add(handoverTime); time.Now().Before(end); {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			w.collect()
		}
		for _, p := range takers {
			p.end()
		}
		w.collect()
		one, two := takers[0], takers[1]
		bytes := map[flow.Match]uint64{}
		var wrong uint64
		for _, r := range w.records {
			k := r.Key.Key()
			if k.Proto != flow.UDP || k.Dir != flow.Egress || k.Src.Port() != taken {
				continue
			}
			ofTwo := (r.Bytes - r.Packets*sizes[one.pid()]) / (sizes[two.pid()] - sizes[one.pid()])
			others := map[uint32]uint64{one.pid(): ofTwo, two.pid(): r.Packets - ofTwo}
			bytes[r.Match] += r.Bytes
			if o := w.owners.Get(r.Key.OwnerID); r.Match == flow.MatchExact && others[o.PID] != 0 {
				wrong += r.Bytes
				t.Errorf("%v > %v: match exact for %d, but %d of %d packets are the other process's", k.Src, k.Dst, o.PID, others[o.PID], r.Packets)
			}
		}
		t.Logf("bytes by match: %v, wrong %d", bytes, wrong)
		if len(bytes) == 0 {
			t.Error("no datagram was seen")
		}
	})
}

const handoverTime = 3 * time.Second
