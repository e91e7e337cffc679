package kprobe

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestCorpus puts every IP packet of the corpus on a link, and compares the counts at its other
// end with the truth. The payload of PPPoE, MPLS and the like does not reach the IP layer there:
// it must not count.
func TestCorpus(t *testing.T) {
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	eachHook(t, func(t *testing.T, s *source) {
		a, b := testnet.Pair(t, testnet.Link{})
		// A namespace of another test may have had the same number.
		s.collect(t, func(flow.Key, flow.Counters) {}, b.Host)
		want, frames := map[flow.Key]flow.Counters{}, [][]byte{}
		var others [][]byte
		for i := range cases {
			c := &cases[i]
			if !onEthernet(c, a.MTU) || s.hook.name != "tracepoint" && tagged(c.Data) {
				continue // no socket gets it, or the IP layer does not
			}
			if !isIP(c.Data) {
				others = append(others, c.Data)
				continue
			}
			k := c.Want.Key.Key()
			k.Dir, k.VLAN, k.Ifindex, k.NetNS = flow.Ingress, 0, 0, inode(t, b.Host)
			n := c.Want.Counters
			n.FrameBytes = 0
			n.Add(want[k])
			want[k] = n
			frames = append(frames, c.Data)
		}
		if len(frames) < 30 || len(others) < 30 {
			t.Fatalf("only %d and %d packets: is the corpus there?", len(frames), len(others))
		}
		a.SendFrames(1, append(others, frames...)...)

		got := map[flow.Key]flow.Counters{}
		n := uint64(0)
		for end := time.Now().Add(20 * time.Second); n < uint64(len(frames)) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			s.collect(t, func(k flow.Key, c flow.Counters) {
				if k.Dir == flow.Ingress {
					n += c.Packets
					c.Add(got[k])
					got[k] = c
				}
			}, b.Host)
		}
		for k, c := range want {
			if got[k] != c {
				t.Errorf("%+v: %+v, want %+v", k, got[k], c)
			}
			delete(got, k)
		}
		for k, c := range got {
			t.Errorf("unexpected: %+v: %+v", k, c)
		}
	})
}

// onEthernet reports whether the link can carry a packet of the corpus as it is.
func onEthernet(c *corpus.Case, mtu int) bool {
	var f packet.Frame
	c.Frame(&f)
	return c.LinkType == packet.LinkTypeEthernet && c.OrigLen == len(c.Data) && f.Segments <= 1 &&
		len(c.Data) <= mtu+14 && c.Want.Key.Family != flow.FamilyNone && c.Want.Key.EtherType == 0
}

func tagged(frame []byte) bool { return isTag(frame[12:]) }

func isTag(d []byte) bool {
	etherType := binary.BigEndian.Uint16(d)
	return etherType == 0x8100 || etherType == 0x88a8
}

// isIP reports whether a frame has IP after its tags, with nothing between.
func isIP(frame []byte) bool {
	d := frame[12:]
	for isTag(d) {
		d = d[4:]
	}
	etherType := flow.EtherType(binary.BigEndian.Uint16(d))
	return etherType == flow.EtherTypeIPv4 || etherType == flow.EtherTypeIPv6
}
