package difftest

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

var (
	inputs = flag.Int("parity.inputs", 200_000, "random packets that TestRandom gives both parsers")
	seed   = flag.Uint64("parity.seed", 0, "of TestRandom; 0: of the clock")
)

// cPacket mirrors struct packet of bpf/packet.h.
type cPacket struct {
	Meta     uint32
	L4       [4]byte
	Src, Dst [16]byte
	Ifindex  uint32
	NetNS    uint32
	Packets  uint32
	Overhead uint32
	Bytes    uint64
	TCPFlags uint32
	_        uint32
}

type outcome struct {
	Slow, Fast cPacket
	Taken      uint64
}

// skb is the start of struct __sk_buff (include/uapi/linux/bpf.h), as far as a test run may set it.
type skb struct {
	_       [164]byte
	GSOSegs uint32
	_       [8]byte
	GSOSize uint32
	_       [12]byte
}

// program is a loaded BPF program and the map with its result.
type program struct {
	objs struct {
		Ethernet *ebpf.Program  `ebpf:"parity_ethernet"`
		Raw      *ebpf.Program  `ebpf:"parity_raw"`
		Outcomes *ebpf.Map      `ebpf:"outcomes"`
		PushTag  *ebpf.Variable `ebpf:"push_tag"`
		PushTCI  *ebpf.Variable `ebpf:"push_tci"`
		PushType *ebpf.Variable `ebpf:"push_type"`
	}
	out *outcome
}

// load loads the programs. A test run's data always has an Ethernet header. Programs for packets
// without one skip skip bytes.
func load(tb testing.TB, skip uint32) *program {
	tb.Helper()
	testenv.Privileged(tb)
	if err := rlimit.RemoveMemlock(); err != nil {
		tb.Logf("memlock: %v", err)
	}
	spec, err := loadParity()
	if err != nil {
		tb.Fatal(err)
	}
	if err := spec.Variables["raw_offset"].Set(skip); err != nil {
		tb.Fatal(err)
	}
	p := &program{}
	if err := spec.LoadAndAssign(&p.objs, nil); err != nil {
		tb.Fatalf("%+v", err)
	}
	tb.Cleanup(func() {
		p.objs.Ethernet.Close()
		p.objs.Raw.Close()
		p.objs.Outcomes.Close()
	})
	m, err := unix.Mmap(p.objs.Outcomes.FD(), 0, unix.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		tb.Fatalf("map outcomes: %v", err)
	}
	tb.Cleanup(func() { _ = unix.Munmap(m) })
	p.out = (*outcome)(unsafe.Pointer(&m[0]))
	return p
}

// parser is the C parser.
type parser struct {
	ethernet, raw *program
	pushes        bool
	fast          int // packets that took the fast path
}

func newParser(tb testing.TB) *parser {
	return &parser{ethernet: load(tb, 0), raw: load(tb, ethLen)}
}

const ethLen = 14

// input is a packet for both parsers, as a hook sees it.
type input struct {
	raw      bool
	data     []byte // raw packets, too, have 14 bytes before layer 3, with their type
	tagged   bool
	tci      uint16
	segments uint16
}

func (in *input) String() string {
	return fmt.Sprintf("raw=%v tagged=%v tci=%#x segments=%d data=%x", in.raw, in.tagged, in.tci, in.segments, in.data)
}

// parse runs the C parser.
func (p *parser) parse(in *input) (*outcome, error) {
	if in.tagged || p.pushes {
		push, typ := uint32(0), [2]byte{0x81, 0x00}
		if in.tagged {
			push = 1
		}
		for _, s := range []struct {
			v *ebpf.Variable
			x any
		}{
			{p.ethernet.objs.PushTag, push}, {p.ethernet.objs.PushTCI, in.tci}, {p.ethernet.objs.PushType, typ},
		} {
			if err := s.v.Set(s.x); err != nil {
				return nil, err
			}
		}
		p.pushes = in.tagged
	}
	prog, out := p.ethernet.objs.Ethernet, p.ethernet.out
	if in.raw {
		prog, out = p.raw.objs.Raw, p.raw.out
	}
	opts := &ebpf.RunOptions{Data: in.data}
	if in.segments > 0 {
		opts.Context = &skb{GSOSegs: uint32(in.segments), GSOSize: 100}
	}
	ret, err := prog.Run(opts)
	if err == nil && ret != 0 {
		err = fmt.Errorf("the program returned %d", ret)
	}
	return out, err
}

// frame returns the same packet for the Go parser.
func (in *input) frame() packet.Frame {
	f := packet.Frame{Data: in.data, Len: len(in.data), Tagged: in.tagged, TCI: in.tci, Segments: int(in.segments)}
	if in.raw {
		f.Raw = true
		f.Data, f.Len = in.data[ethLen:], f.Len-ethLen
		if t := binary.BigEndian.Uint16(in.data[12:]); t >= 0x600 { // see eth_type_trans()
			f.EtherType = flow.EtherType(t)
		}
	}
	return f
}

// record converts a cPacket. It follows bpf/flow.h independently of internal/kernel/bpfflow.
func (c *cPacket) record() flow.Record {
	var k flow.Key
	l4 := binary.BigEndian.Uint32(c.L4[:])
	kind := c.Meta >> 22 & 3
	r := flow.Record{
		Counters: flow.Counters{Packets: uint64(c.Packets), FrameBytes: c.Bytes + uint64(c.Overhead)},
		Marks:    flow.Marks{TCPFlags: flow.TCPFlags(c.TCPFlags)},
	}
	var p flow.Packed
	switch kind {
	case 0:
		k.EtherType = flow.EtherType(l4)
		p = flow.Pack(k)
	case 3:
		k.EtherType = flow.EtherTypeARP
		p = flow.Pack(k)
		p.L4 = l4
	default:
		k.Proto = flow.Proto(c.Meta)
		p = flow.Pack(k)
		p.L4 = l4
		r.Bytes = c.Bytes
	}
	p.Src, p.Dst = c.Src, c.Dst
	p.Family = [4]flow.Family{flow.FamilyNone, flow.FamilyIPv4, flow.FamilyIPv6, flow.FamilyIPv4}[kind]
	p.VLAN = uint16(c.Meta >> 8 & 0xfff)
	r.Key = p
	return r
}

// compare gives a packet to both parsers and compares the results.
func (p *parser) compare(in *input) error {
	out, err := p.parse(in)
	if err != nil {
		return err
	}
	f := in.frame()
	fast, err := out.agrees(&f)
	if fast {
		p.fast++
	}
	return err
}

// agrees compares the result with the Go parser's. fast reports whether the C parser's fast path
// took the packet.
func (o *outcome) agrees(f *packet.Frame) (fast bool, err error) {
	fast = o.Taken != 0
	var want flow.Record
	packet.Parse(f, &want)
	want.First, want.Last = 0, 0
	if got := o.Slow.record(); got != want {
		return fast, fmt.Errorf("C: %+v %+v %v\nGo: %+v %+v %v", got.Key.Key(), got.Counters, got.TCPFlags, want.Key.Key(), want.Counters, want.TCPFlags)
	}
	if fast && o.Fast != o.Slow {
		return fast, fmt.Errorf("fast: %+v\nslow: %+v", o.Fast, o.Slow)
	}
	return fast, nil
}

// runnable reports whether a test run accepts the packet. It refuses IP packets with a cut fixed
// header (bpf_prog_test_run_skb in net/bpf/test_run.c). Other tests send those.
func (in *input) runnable() bool {
	l3 := len(in.data) - ethLen
	switch flow.EtherType(binary.BigEndian.Uint16(in.data[12:])) {
	case flow.EtherTypeIPv4:
		return l3 >= 20
	case flow.EtherTypeIPv6:
		return l3 >= 40
	}
	return true
}

// inputsOf returns the packets of the corpus that a test run accepts.
func inputsOf(tb testing.TB) []input {
	tb.Helper()
	cases, err := corpus.Load()
	if err != nil {
		tb.Fatal(err)
	}
	var in []input
	for _, c := range cases {
		if c.OrigLen != len(c.Data) || len(c.Data) > maxLen {
			continue
		}
		i := input{tagged: c.Tagged, tci: c.TCI, segments: uint16(c.Segments), data: bytes.Clone(c.Data)}
		switch c.LinkType {
		case packet.LinkTypeEthernet:
		case packet.LinkTypeRaw:
			i.raw = true
			i.data = append(make([]byte, ethLen), i.data...) // type 0: the first bits show the IP version
		default:
			continue
		}
		if len(i.data) >= ethLen && i.runnable() {
			in = append(in, i)
		}
	}
	if len(in) < 100 {
		tb.Fatalf("only %d packets of the corpus can be run", len(in))
	}
	return in
}

// maxLen is what a test run accepts on all kernels: a page less headroom and tailroom.
const maxLen = 3000

func TestCorpus(t *testing.T) {
	p := newParser(t)
	in := inputsOf(t)
	for i := range in {
		if err := p.compare(&in[i]); err != nil {
			t.Errorf("%v:\n%v", &in[i], err)
		}
	}
	t.Logf("%d packets, %d of them by the fast path", len(in), p.fast)
	if p.fast == 0 {
		t.Error("the fast path took no packet")
	}
}

// TestRandom gives both parsers random packets, and packets of the corpus with bytes changed, cut
// off, inserted and spliced.
func TestRandom(t *testing.T) {
	p := newParser(t)
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	rnd := rand.New(rand.NewPCG(s, 1))
	in := inputsOf(t)
	for n := range *inputs {
		i := mutate(rnd, in)
		for !i.runnable() {
			i = mutate(rnd, in)
		}
		if err := p.compare(&i); err != nil {
			t.Fatalf("packet %d with -parity.seed=%d: %v:\n%v", n, s, &i, err)
		}
	}
	t.Logf("%d packets, %d of them by the fast path", *inputs, p.fast)
}

// interesting are values of type, protocol and length fields.
var interesting = []byte{
	0, 1, 4, 5, 6, 8, 9, 17, 33, 41, 43, 44, 47, 50, 51, 58, 59, 60, 0x45, 0x46, 0x47, 0x48, 0x4f, 0x57, 0x60, 0x64, 0x81, 0x86,
	0x88, 0x89, 0x8b, 0x26, 3, 0x91, 0xa8, 0xc2, 0xd2, 0xdd, 0xe7, 132, 135, 136, 139, 140, 0xff,
}

func mutate(rnd *rand.Rand, from []input) input {
	in := from[rnd.IntN(len(from))]
	d := bytes.Clone(in.data)
	for range rnd.IntN(6) {
		// Prefer the first bytes: most fields are there.
		at := func() int { return rnd.IntN(min(len(d), 1+rnd.IntN(len(d)))) }
		switch rnd.IntN(8) {
		case 0:
			d[at()] = byte(rnd.Uint32())
		case 1:
			d[at()] ^= 1 << rnd.IntN(8)
		case 2, 3:
			d[at()] = interesting[rnd.IntN(len(interesting))]
		case 4:
			d = d[:ethLen+rnd.IntN(len(d)-ethLen+1)]
		case 5:
			junk := make([]byte, rnd.IntN(64))
			for i := range junk {
				junk[i] = byte(rnd.Uint32())
			}
			i := at()
			d = append(d[:i:i], append(junk, d[i:]...)...)
		case 6:
			o := from[rnd.IntN(len(from))].data
			d = append(d[:at():len(d)], o[rnd.IntN(len(o)):]...)
		case 7:
			if i := at(); i+2 <= len(d) {
				binary.BigEndian.PutUint16(d[i:], uint16(rnd.IntN(len(d)+4)))
			}
		}
		for len(d) < ethLen {
			d = append(d, 0)
		}
		if len(d) > maxLen {
			d = d[:maxLen]
		}
	}
	in.data = d
	switch rnd.IntN(12) {
	case 0:
		in.raw = !in.raw
	case 1:
		in.segments = uint16(rnd.IntN(50))
	case 2:
		in.tagged, in.tci = true, uint16(rnd.Uint32())
	}
	if in.raw {
		in.tagged = false
	}
	return in
}

// FuzzParity is TestRandom, guided by the Go parser's coverage.
func FuzzParity(f *testing.F) {
	p := newParser(f)
	for _, in := range inputsOf(f) {
		f.Add(in.data, in.raw, in.tagged, in.tci, in.segments)
	}
	f.Fuzz(func(t *testing.T, data []byte, raw, tagged bool, tci, segments uint16) {
		if len(data) < ethLen || len(data) > maxLen {
			return
		}
		in := input{raw: raw, data: data, tagged: tagged && !raw, tci: tci, segments: segments}
		if !in.runnable() {
			return
		}
		if err := p.compare(&in); err != nil {
			t.Fatalf("%v:\n%v", &in, err)
		}
	})
}
