package cgroup

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

const ethernetLen = 14

// TestCorpus gives the programs every IP packet of the corpus, from layer 3 on, and compares the
// counts with the truth.
func TestCorpus(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	table := loadTable(t, bpfflow.Options{MaxFlows: 1000})
	ran := 0
	for i := range cases {
		c := &cases[i]
		var f packet.Frame
		c.Frame(&f)
		data, ok := layer3(c, &f)
		if !ok {
			continue
		}
		// A super-frame of one segment takes the long way through the parser. The result
		// must be the same as on the short way.
		contexts := []skbContext{{}, {segments: 1, segmentSize: 1}}
		if f.Segments > 1 {
			contexts = []skbContext{{segments: uint32(f.Segments), segmentSize: 1000}}
		}
		t.Run(c.Name, func(t *testing.T) {
			var want []flow.Record
			for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
				r := flow.Record{Key: c.Want.Key, Marks: c.Want.Marks}
				r.Key.Dir, r.Key.VLAN = dir, 0
				r.Key.NetNS, r.CgroupID = inode(t, "/proc/thread-self/ns/net"), uint64(inode(t, testGroup))
				for _, ctx := range contexts {
					run(t, table.Programs["cgroup_"+dir.String()], data, ctx)
					n := c.Want.Counters
					n.FrameBytes = 0
					r.Counters.Add(n)
				}
				want = append(want, r)
			}
			expect(t, table, want)
		})
		ran++
	}
	if ran < 50 {
		t.Errorf("only %d runs: is the corpus there?", ran)
	}
}

// layer3 returns a packet of the corpus, behind the Ethernet header that a test run removes, if a
// socket may send or receive it. Its truth is then the truth of an interface without a link
// header. So bytes behind the packet in its frame have to go.
func layer3(c *corpus.Case, f *packet.Frame) ([]byte, bool) {
	known := c.LinkType == packet.LinkTypeEthernet || c.LinkType == packet.LinkTypeRaw
	const largest = 3500 // every kernel takes it in a test run
	if !known || len(c.Data) > largest || c.OrigLen != len(c.Data) || c.Want.Key.EtherType != 0 {
		return nil, false
	}
	data := f.Data
	header := make([]byte, ethernetLen)
	etherType := flow.EtherTypeIPv4
	if c.Want.Key.Family == flow.FamilyIPv6 {
		etherType = flow.EtherTypeIPv6
	}
	if !f.Raw {
		at := ethernetLen
		for t := binary.BigEndian.Uint16(data[at-2:]); t == 0x8100 || t == 0x88a8; t = binary.BigEndian.Uint16(data[at-2:]) {
			at += 4
		}
		if flow.EtherType(binary.BigEndian.Uint16(data[at-2:])) != etherType {
			return nil, false // no packet of PPPoE, MPLS and the like reaches the IP layer
		}
		data = data[at:]
	}
	binary.BigEndian.PutUint16(header[12:], uint16(etherType))
	return append(header, data...), true
}

// skbContext has the fields of struct __sk_buff that a test run can set.
type skbContext struct{ segments, segmentSize uint32 }

func (c skbContext) bytes() []byte {
	b := make([]byte, 192) // offsets of include/uapi/linux/bpf.h
	binary.NativeEndian.PutUint32(b[164:], c.segments)
	binary.NativeEndian.PutUint32(b[176:], c.segmentSize)
	return b
}

// run gives a packet to a program, which must let it pass.
func run(t *testing.T, prog *ebpf.Program, data []byte, ctx skbContext) {
	t.Helper()
	verdict, err := prog.Run(&ebpf.RunOptions{Data: data, Context: ctx.bytes()})
	if err != nil {
		t.Fatal(err)
	}
	if verdict != 1 {
		t.Fatalf("verdict %d: the traffic is changed", verdict)
	}
}

// expect collects, and fails unless the records are want, in any order.
func expect(t *testing.T, table *bpfflow.Table, want []flow.Record) {
	t.Helper()
	var got []flow.Record
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for _, r := range rs {
			if r.Socket == 0 {
				t.Errorf("%+v has no socket", r.Key.Key())
			}
			r.First, r.Last, r.Socket = 0, 0, 0 // a test run makes a socket
			// A test run may have moved to another CPU.
			if i := slices.IndexFunc(got, func(g flow.Record) bool { return g.Key == r.Key }); i >= 0 {
				got[i].Counters.Add(r.Counters)
			} else {
				got = append(got, r)
			}
		}
		return nil
	}})
	if err := table.Collect(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if b.Overflow != (flow.Overflow{}) || !b.Lost.IsZero() {
		t.Errorf("other is %+v, lost %+v", b.Overflow, b.Lost)
	}
	for _, w := range want {
		i := slices.Index(got, w)
		if i < 0 {
			t.Errorf("want %+v\n%+v", w.Key.Key(), w)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	for _, g := range got {
		t.Errorf("got %+v\n%+v", g.Key.Key(), g)
	}
}

func inode(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// loadTable loads the programs, and closes them when the test ends.
func loadTable(tb testing.TB, o bpfflow.Options) *bpfflow.Table {
	tb.Helper()
	o.Now = time.Now
	table, err := load(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := table.Close(); err != nil {
			tb.Error(err)
		}
	})
	return table
}
