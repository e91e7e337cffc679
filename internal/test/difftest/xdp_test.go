package difftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// xdpMD is struct xdp_md (include/uapi/linux/bpf.h).
type xdpMD struct {
	Data, DataEnd, DataMeta uint32
	IngressIfindex, RxQueue uint32
	EgressIfindex           uint32
}

// hasFrags is BPF_F_XDP_HAS_FRAGS (include/uapi/linux/bpf.h).
const hasFrags = 1 << 5

// xdpProgram is a loaded BPF program and the map with its result.
type xdpProgram struct {
	objs struct {
		Ethernet *ebpf.Program `ebpf:"parity_ethernet"`
		Raw      *ebpf.Program `ebpf:"parity_raw"`
		Outcomes *ebpf.Map     `ebpf:"outcomes"`
	}
	out *outcome
}

// loadXDP loads the programs. With frags, they accept packets in several parts.
func loadXDP(frags bool, skip uint32) (*xdpProgram, error) {
	spec, err := loadParityXDP()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables["raw_offset"].Set(skip); err != nil {
		return nil, err
	}
	if frags {
		if err := spec.Variables["frags"].Set(uint32(1)); err != nil {
			return nil, err
		}
		for _, p := range spec.Programs {
			p.Flags |= hasFrags
		}
	}
	p := &xdpProgram{}
	if err := spec.LoadAndAssign(&p.objs, nil); err != nil {
		return nil, err
	}
	m, err := unix.Mmap(p.objs.Outcomes.FD(), 0, unix.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map outcomes: %w", err), p.close())
	}
	p.out = (*outcome)(unsafe.Pointer(&m[0]))
	return p, nil
}

func (p *xdpProgram) close() error {
	var err error
	if p.out != nil {
		err = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(p.out)), unix.Getpagesize()))
	}
	return errors.Join(err, p.objs.Ethernet.Close(), p.objs.Raw.Close(), p.objs.Outcomes.Close())
}

// xdpParser is the C parser at XDP.
type xdpParser struct {
	ethernet, raw *xdpProgram
	frags         bool // accepts packets larger than a page
	split         bool // a test run can choose the length of the first part (Linux 6.18)
	fast          int  // packets that took the fast path
}

func newXDPParser(tb testing.TB, frags bool) *xdpParser {
	tb.Helper()
	testenv.Privileged(tb)
	p := &xdpParser{frags: frags}
	load := func(skip uint32) *xdpProgram {
		prog, err := loadXDP(frags, skip)
		if err != nil {
			tb.Fatalf("%+v", err)
		}
		tb.Cleanup(func() {
			if err := prog.close(); err != nil {
				tb.Error(err)
			}
		})
		return prog
	}
	p.ethernet, p.raw = load(0), load(ethLen)
	if frags {
		_, err := p.parse(&input{data: make([]byte, 100)}, 50)
		p.split = err == nil
	}
	return p
}

// parse runs the C parser on a packet with the given number of linear bytes.
func (p *xdpParser) parse(in *input, linear int) (*outcome, error) {
	prog, out := p.ethernet.objs.Ethernet, p.ethernet.out
	if in.raw {
		prog, out = p.raw.objs.Raw, p.raw.out
	}
	o := ebpf.RunOptions{Data: in.data}
	if linear != len(in.data) { // before 5.15, a test run accepts no context at all
		o.Context = &xdpMD{DataEnd: uint32(linear)}
	}
	ret, err := prog.Run(&o)
	if err == nil && ret != xdpPass {
		err = fmt.Errorf("the program returned %d", ret)
	}
	return out, err
}

const xdpPass = 2

func (p *xdpParser) compare(in *input, linear int) error {
	out, err := p.parse(in, linear)
	if err != nil {
		return err
	}
	f := in.frame()
	f.EtherType = 0 // only the first bits show the IP version
	fast, err := out.agrees(&f)
	if fast {
		p.fast++
	}
	return err
}

// forXDP changes an input to what XDP can see: the tag in the frame, and no segments.
func (in *input) forXDP() {
	in.tagged, in.tci, in.segments = false, 0, 0
}

// eachXDP runs f with the programs for packets in one part, and in several.
func eachXDP(t *testing.T, f func(t *testing.T, p *xdpParser)) {
	t.Run("linear", func(t *testing.T) { f(t, newXDPParser(t, false)) })
	t.Run("frags", func(t *testing.T) {
		testenv.Privileged(t)
		testenv.Feature(t, "XDP with fragments", "5.18", func() error {
			p, err := loadXDP(true, 0)
			if err != nil {
				return err
			}
			return p.close()
		})
		f(t, newXDPParser(t, true))
	})
}

func TestCorpusXDP(t *testing.T) {
	eachXDP(t, func(t *testing.T, p *xdpParser) {
		for _, in := range inputsOf(t) {
			in.forXDP()
			for linear := len(in.data); linear >= ethLen; linear-- {
				if err := p.compare(&in, linear); err != nil {
					t.Errorf("%v, %d linear:\n%v", &in, linear, err)
					break
				}
				if !p.split {
					break
				}
			}
		}
		if p.fast == 0 {
			t.Error("the fast path took no packet")
		}
	})
}

// TestRandomXDP is TestRandom at XDP, also with frames larger than a page and with any number of
// linear bytes.
func TestRandomXDP(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	eachXDP(t, func(t *testing.T, p *xdpParser) {
		rnd := rand.New(rand.NewPCG(s, 2))
		from := inputsOf(t)
		splits, large := 0, 0
		for n := range *inputs {
			in := mutate(rnd, from)
			in.forXDP()
			linear := len(in.data)
			if p.split && rnd.IntN(2) == 0 {
				linear = ethLen + rnd.IntN(min(len(in.data), 128)-ethLen+1)
				splits++
			} else if p.frags && rnd.IntN(50) == 0 {
				in.data = append(in.data, make([]byte, rnd.IntN(60_000))...)
				if i := ethLen + 2; rnd.IntN(2) == 0 { // make the length field match
					binary.BigEndian.PutUint16(in.data[i:], uint16(len(in.data)-ethLen))
				}
				linear = len(in.data) // up to the end of a page
				large++
			}
			if err := p.compare(&in, linear); err != nil {
				t.Fatalf("packet %d with -parity.seed=%d: %v, %d linear:\n%v", n, s, &in, linear, err)
			}
		}
		t.Logf("%d packets, %d of them by the fast path, %d split, %d larger than a page", *inputs, p.fast, splits, large)
	})
}

// FuzzParityXDP is TestRandomXDP, guided by the Go parser's coverage.
func FuzzParityXDP(f *testing.F) {
	whole := newXDPParser(f, false)
	for _, in := range inputsOf(f) {
		f.Add(in.data, in.raw)
	}
	f.Fuzz(func(t *testing.T, data []byte, raw bool) {
		if len(data) < ethLen || len(data) > maxLen {
			return
		}
		in := input{raw: raw, data: bytes.Clone(data)}
		if err := whole.compare(&in, len(data)); err != nil {
			t.Fatalf("%v:\n%v", &in, err)
		}
	})
}
