package tc

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

const ethernetLen = 14

// TestCorpus gives the programs every packet of the corpus that a kernel hook can see, in both
// directions. It compares the table with the truth.
func TestCorpus(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	ethernet := loadTable(t, bpfflow.Options{MaxFlows: 1})
	raw := loadTable(t, bpfflow.Options{MaxFlows: 1, Constants: map[string]any{"raw_offset": uint32(ethernetLen)}})
	kernel := newTaster(t)
	ran, refused := 0, 0
	for i := range cases {
		c := &cases[i]
		var f packet.Frame
		c.Frame(&f)
		// BPF_PROG_TEST_RUN cannot take a tag in the skb's metadata. A cut frame is whole
		// to the kernel, and a cooked header does not exist there.
		if f.Tagged || f.LinkLen != 0 || f.Len != len(f.Data) || c.LinkType == packet.LinkTypeNull || c.LinkType == packet.LinkTypeLoop {
			continue
		}
		if f.Raw && f.EtherType == flow.EtherTypeLLC {
			continue // of a cooked header: no kernel has it there
		}
		table, suffix, data := ethernet, "", f.Data
		if f.Raw {
			table, suffix, data = raw, "_raw", withType(f.EtherType, f.Data)
		} else if len(data) < ethernetLen {
			continue // the kernel refuses it
		}
		// A super-frame of one segment takes the long way through the parser. The result
		// must be the same as on the short way.
		contexts := []skbContext{{}, {segments: 1, segmentSize: 1}}
		if f.Segments > 1 {
			contexts = []skbContext{{segments: uint32(f.Segments), segmentSize: 1000}}
		}
		if kernel.refuses(t, data) {
			refused++
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var want []flow.Record
			for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
				r := c.Want
				r.Key.Dir, r.Key.Ifindex = dir, 1
				r.Counters = flow.Counters{}
				for _, ctx := range contexts {
					run(t, table.Programs["tc_"+dir.String()+suffix], data, ctx)
					r.Counters.Add(c.Want.Counters)
				}
				want = append(want, r)
			}
			expect(t, table, want...)
		})
		ran++
	}
	if ran < 50 || refused > 20 {
		t.Errorf("only %d runs and %d packets that the kernel refuses: is the corpus there?", ran, refused)
	}
}

// taster finds out which packets BPF_PROG_TEST_RUN takes: kernels differ.
type taster struct{ prog *ebpf.Program }

func newTaster(t *testing.T) taster {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return taster{prog}
}

// refuses reports whether a test run refuses the packet. It may refuse packets without a whole IP
// header, and packets that do not fit into a page.
func (k taster) refuses(t *testing.T, data []byte) bool {
	t.Helper()
	_, err := k.prog.Run(&ebpf.RunOptions{Data: data})
	switch {
	case errors.Is(err, unix.EINVAL) && (len(data) < ethernetLen+40 || len(data) > 3500):
		return true
	case err != nil:
		t.Fatalf("%d bytes % x: %v", len(data), data[:min(len(data), 32)], err)
	}
	return false
}

// withType puts an Ethernet header before a packet of an interface without one.
func withType(e flow.EtherType, data []byte) []byte {
	frame := make([]byte, ethernetLen, ethernetLen+len(data))
	if e == 0 {
		e = flow.EtherTypeLLC // the raw programs decide by the first four bits
	}
	binary.BigEndian.PutUint16(frame[12:], uint16(e))
	return append(frame, data...)
}

// skbContext has the fields of struct __sk_buff that a test run can set.
type skbContext struct {
	wireLen, segments, segmentSize uint32
}

func (c skbContext) bytes() []byte {
	b := make([]byte, 192) // offsets of include/uapi/linux/bpf.h
	binary.NativeEndian.PutUint32(b[160:], c.wireLen)
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
	if int32(verdict) != -1 {
		t.Fatalf("verdict %d: the traffic is changed", int32(verdict))
	}
}

// expect collects, and fails unless the records are want, in any order.
func expect(t *testing.T, table *bpfflow.Table, want ...flow.Record) {
	t.Helper()
	got, other := collect(t, table)
	if !other.IsZero() {
		t.Errorf("other is %+v", other)
	}
	for i := range got {
		got[i].First, got[i].Last = 0, 0
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

func collect(t *testing.T, table *bpfflow.Table) (records []flow.Record, other flow.Counters) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs { // each CPU has a record of its own
			same := func(r flow.Record) bool { return r.Key == rs[i].Key }
			if at := slices.IndexFunc(records, same); at >= 0 {
				records[at].Counters.Add(rs[i].Counters)
			} else {
				records = append(records, rs[i])
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
	return records, b.Overflow.Total()
}

// loadTable loads the programs, and closes them when the test ends.
func loadTable(tb testing.TB, o bpfflow.Options) *bpfflow.Table {
	tb.Helper()
	spec, err := loadTc()
	if err != nil {
		tb.Fatal(err)
	}
	o.Now = time.Now
	table, err := bpfflow.Load(spec, o)
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
