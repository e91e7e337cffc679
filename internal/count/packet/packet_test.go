package packet_test

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
)

func cases(tb testing.TB) []corpus.Case {
	tb.Helper()
	all, err := corpus.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// dirty returns a record with old contents in every field.
func dirty() flow.Record {
	k := flow.Packed{
		L4: 1, Proto: 2, Family: 3, Dir: 4, L4Kind: 5, VLAN: 6, EtherType: 7,
		Ifindex: 8, NetNS: 9, OwnerID: 10,
	}
	for i := range k.Src {
		k.Src[i], k.Dst[i] = 0xaa, 0xbb
	}
	return flow.Record{Key: k, Counters: flow.Counters{Packets: 12, Bytes: 13, FrameBytes: 14}, First: 15, Last: 16}
}

func TestCorpus(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			var f packet.Frame
			c.Frame(&f)
			got := dirty()
			packet.Parse(&f, &got)
			want := c.Want
			want.First, want.Last = 15, 16
			if got != want {
				t.Errorf("rule %s\n% x\ngot  %+v %+v\nwant %+v %+v", c.Rule, c.Data,
					got.Key.Key(), got.Counters, want.Key.Key(), want.Counters)
			}
		})
	}
}

// TestSegmentSize: the kernel may report the segment size of a super-frame and the end of its
// headers instead of the number of segments.
func TestSegmentSize(t *testing.T) {
	const ethernet, ip, tcp, udp, vxlan = 14, 20, 32, 8, 8
	headers := make([]byte, ethernet+ip+tcp)
	headers[12], headers[13] = 8, 0
	headers[14], headers[14+9] = 0x45, byte(flow.TCP)
	headers[ethernet+ip+12] = tcp / 4 << 4
	tunnel := make([]byte, ethernet+ip+udp+vxlan, 200)
	copy(tunnel, headers[:ethernet+ip])
	tunnel[14+9] = byte(flow.UDP)
	tunnel = append(tunnel, headers...)
	mpls := make([]byte, 40)
	mpls[12], mpls[13] = 0x88, 0x47
	for _, c := range []struct {
		name          string
		data          []byte
		payload, size int
		headerLen     int
		want          flow.Counters
	}{
		{"whole", headers, 3000, 1000, 0, flow.Counters{Packets: 3, Bytes: 3*(ip+tcp) + 3000, FrameBytes: 3*(ethernet+ip+tcp) + 3000}},
		{"short last", headers, 2001, 1000, 66, flow.Counters{Packets: 3, Bytes: 3*(ip+tcp) + 2001, FrameBytes: 3*(ethernet+ip+tcp) + 2001}},
		{"one", headers, 1000, 1000, 0, flow.Counters{Packets: 1, Bytes: ip + tcp + 1000, FrameBytes: ethernet + ip + tcp + 1000}},
		{"none", headers, 0, 1000, 0, flow.Counters{Packets: 1, Bytes: ip + tcp, FrameBytes: ethernet + ip + tcp}},
		{"tunnel", tunnel, 1001, 1000, len(tunnel), flow.Counters{
			Packets: 2, Bytes: uint64(2*(len(tunnel)-ethernet) + 1001), FrameBytes: uint64(2*len(tunnel) + 1001),
		}},
		{"not IP", mpls, 2000, 1000, len(mpls), flow.Counters{Packets: 2, FrameBytes: uint64(2*len(mpls) + 2000)}},
	} {
		f := packet.Frame{Data: c.data, Len: len(c.data) + c.payload, SegmentSize: c.size, HeaderLen: c.headerLen}
		got := dirty()
		packet.Parse(&f, &got)
		if got.Counters != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got.Counters, c.want)
		}
	}
}
