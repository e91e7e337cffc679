package bench

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Peer is another program that counts packets by flow, as its own project compiles it. It
// implements flag.Value:
//
//	name=NAME,obj=FILE,prog=PROGRAM,hook=tc|xdp,maps=MAP:ROLE[,MAP:ROLE]...
//
// A map has the role flows or clear. A flows map has flows as keys, and values with members named
// packets and bytes. A clear map holds other data by flow. Both are emptied between measurements,
// and enlarged if tables must fit.
type Peer struct {
	Name   string
	Object string // path of the ELF file
	Func   string
	Hook   Hook
	Maps   []PeerMap
}

// PeerMap is a map of a peer that is emptied between measurements.
type PeerMap struct {
	Name  string
	Flows bool // has the counters
}

// PeerUsage is the syntax of a peer.
const PeerUsage = "want name=NAME,obj=FILE,prog=PROGRAM,hook=tc|xdp,maps=MAP:flows|clear[,MAP:flows|clear]..."

// ParsePeer parses PeerUsage.
func ParsePeer(s string) (Peer, error) {
	var p Peer
	key := ""
	for _, f := range strings.Split(s, ",") {
		value := f
		if k, v, ok := strings.Cut(f, "="); ok {
			key, value = k, v
		} else if key != "maps" {
			return Peer{}, fmt.Errorf("peer %q: %q is not an option: %s", s, f, PeerUsage)
		}
		switch key {
		case "name":
			p.Name = value
		case "obj":
			p.Object = value
		case "prog":
			p.Func = value
		case "hook":
			p.Hook = Hook(value)
		case "maps":
			name, role, _ := strings.Cut(value, ":")
			if role != "flows" && role != "clear" {
				return Peer{}, fmt.Errorf("peer %q: map %q has no role: %s", s, value, PeerUsage)
			}
			p.Maps = append(p.Maps, PeerMap{Name: name, Flows: role == "flows"})
		default:
			return Peer{}, fmt.Errorf("peer %q: unknown option %q: %s", s, key, PeerUsage)
		}
	}
	switch {
	case p.Name == "" || p.Object == "" || p.Func == "":
		return Peer{}, fmt.Errorf("peer %q: %s", s, PeerUsage)
	case p.Hook != HookTC && p.Hook != HookXDP:
		return Peer{}, fmt.Errorf("peer %q: unknown hook %q: %s", s, p.Hook, PeerUsage)
	case p.Name == Empty || p.Name == Floor || p.Name == Ours:
		return Peer{}, fmt.Errorf("peer %q: the name %s is taken", s, p.Name)
	}
	return p, nil
}

type peer struct{ Peer }

func (p peer) name() string { return p.Name }

// fitFactor is the size of a peer's tables per flow, if tables must fit. pktstat's tables have the
// same, and are then half full. LRU maps evict before they are full.
const fitFactor = 2

func (p peer) load(o loadOptions) (*program, error) {
	spec, err := ebpf.LoadCollectionSpec(p.Object)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Object, err)
	}
	for _, m := range p.Maps {
		ms, ok := spec.Maps[m.Name]
		if !ok {
			return nil, fmt.Errorf("%s has no map %s", p.Object, m.Name)
		}
		if o.fit {
			ms.MaxEntries = max(ms.MaxEntries, uint32(fitFactor*o.flows))
		}
	}
	ps, ok := spec.Programs[p.Func]
	if !ok {
		return nil, fmt.Errorf("%s has no program %s", p.Object, p.Func)
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{p.Func: ps}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, err
	}
	prog := &program{name: p.Name, spec: ps, program: coll.Programs[p.Func], entry: coll.Programs[p.Func]}
	prog.onClose(func() error { coll.Close(); return nil })
	return prog, p.connect(prog, spec, coll)
}

// connect finds the peer's maps.
func (p peer) connect(prog *program, spec *ebpf.CollectionSpec, coll *ebpf.Collection) error {
	var all, others []*ebpf.Map
	var flows *flowMap
	for _, m := range p.Maps {
		all = append(all, coll.Maps[m.Name])
		if !m.Flows {
			others = append(others, coll.Maps[m.Name])
			continue
		}
		layout, err := layoutOf(spec.Maps[m.Name].Value)
		if err != nil {
			return fmt.Errorf("map %s: %w", m.Name, err)
		}
		flows = &flowMap{m: coll.Maps[m.Name], layout: layout}
	}
	prog.forget = func() error {
		for _, m := range all {
			if err := emptyMap(m); err != nil {
				return fmt.Errorf("empty map %s: %w", m, err)
			}
		}
		return nil
	}
	if flows != nil {
		prog.tally = flows.tally
		prog.read = flows.read
		prog.newReporter = func(int, int) reporter { return peerReporter{flows, others} }
	}
	return nil
}

// layout is the offsets of counters in a map's value.
type layout struct{ packets, bytes uint32 }

func layoutOf(value btf.Type) (layout, error) {
	s, ok := btf.UnderlyingType(value).(*btf.Struct)
	if !ok {
		return layout{}, fmt.Errorf("its value is not a structure: %v", value)
	}
	at := map[string]uint32{}
	for _, m := range s.Members {
		if n, err := btf.Sizeof(m.Type); err == nil && n == 8 {
			at[m.Name] = m.Offset.Bytes()
		}
	}
	packets, hasPackets := at["packets"]
	bytes, hasBytes := at["bytes"]
	if !hasPackets || !hasBytes {
		return layout{}, fmt.Errorf("its value has no 64-bit members packets and bytes")
	}
	return layout{packets, bytes}, nil
}
