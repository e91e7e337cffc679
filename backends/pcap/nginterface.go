package pcap

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// ngInterface is an interface of the current section.
type ngInterface struct {
	link    packet.LinkType
	snapLen uint32 // 0: none
	fcs     int    // bytes at the end of every packet
	index   uint32 // flow.Key.Ifindex
	time    ngTime
}

const (
	ngMaxInterfaces = 1 << 16
	ngMaxName       = 255
)

func (g *ng) interfaceBlock(b []byte) error {
	id := len(g.section)
	if id == ngMaxInterfaces {
		return fmt.Errorf("more than %d interfaces", ngMaxInterfaces)
	}
	if len(b) < 8 {
		return fmt.Errorf("damaged: an interface block of %d bytes", len(b))
	}
	i := ngInterface{link: packet.LinkType(g.uint16(b)), snapLen: g.uint32(b[4:])}
	name := ""
	resolution, offset := byte(6), int64(0)
	for opts := b[8:]; len(opts) > 0; {
		code, value, rest, err := g.option(opts)
		if err != nil {
			return fmt.Errorf("interface %d: %w", id, err)
		}
		switch {
		case code == 2:
			name = cleanName(string(value))
		case code == 9 && len(value) == 1:
			resolution = value[0]
		case code == 13 && len(value) == 1:
			i.fcs = int(value[0])
		case code == 14 && len(value) == 8:
			offset = int64(g.uint64(value))
		}
		opts = rest
	}
	var err error
	if i.time, err = newNGTime(resolution, offset); err != nil {
		return fmt.Errorf("interface %d: %w", id, err)
	}
	if i.index, err = g.names.index(id, name); err != nil {
		return err
	}
	g.section = append(g.section, i)
	return nil
}

// interfaceOf returns the interface that a packet names.
func (g *ng) interfaceOf(id uint32) (*ngInterface, error) {
	if int64(id) >= int64(len(g.section)) {
		return nil, fmt.Errorf("damaged: a packet of interface %d, and %d are described", id, len(g.section))
	}
	i := &g.section[id]
	if !g.names.settled {
		g.names.settle(g.section)
	}
	return i, nil
}

func (g *ng) interfaces() []flow.Interface { return slices.Clone(g.names.list) }

// ngNames numbers the interfaces of all sections from 1. A program that writes several files in a
// row describes the same interfaces again. So an interface with the same name in the same place
// of its section is the same.
type ngNames struct {
	list    []flow.Interface
	known   map[ngIdentity]uint32
	settled bool // a packet has been read
}

type ngIdentity struct {
	id   int
	name string
}

func (n *ngNames) index(id int, name string) (uint32, error) {
	identity := ngIdentity{id, name}
	if index, ok := n.known[identity]; ok {
		return index, nil
	}
	if len(n.known) == ngMaxInterfaces {
		return 0, fmt.Errorf("more than %d interfaces", ngMaxInterfaces)
	}
	if n.known == nil {
		n.known = map[ngIdentity]uint32{}
	}
	index := uint32(len(n.known) + 1)
	n.known[identity] = index
	if name == "" {
		name = "#" + strconv.Itoa(int(index))
	}
	n.list = append(n.list, flow.Interface{Index: index, Name: name})
	return index, nil
}

// settle decides at the first packet: if a file has only one interface, without a name, rows have
// no interface.
func (n *ngNames) settle(section []ngInterface) {
	n.settled = true
	unnamed := ngIdentity{}
	if _, ok := n.known[unnamed]; ok && len(n.known) == 1 {
		n.known[unnamed] = 0
		n.list = nil
		for i := range section {
			section[i].index = 0
		}
	}
}

// cleanName makes a name from the file safe for a terminal.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > ngMaxName {
		s = strings.ToValidUTF8(s[:ngMaxName], "")
	}
	return s
}

// ngTime converts the timestamps of an interface: ticks x mul / div + offset is
// Unix nanoseconds.
type ngTime struct {
	mul, div uint64 // div 0: every time is out of range
	offset   int64
}

// newNGTime takes if_tsresol (10^-n, or 2^-n with the upper bit set) and
// if_tsoffset (seconds).
func newNGTime(resolution byte, offset int64) (ngTime, error) {
	const maxOffset = maxTime / 1_000_000_000
	t, err := ngResolution(resolution)
	if offset < -maxOffset || offset > maxOffset {
		return ngTime{}, err
	}
	t.offset = offset * 1e9
	return t, err
}

func ngResolution(resolution byte) (ngTime, error) {
	t := ngTime{mul: 1, div: 1}
	n := int(resolution & 0x7f)
	if resolution&0x80 != 0 {
		if n > 63 {
			return t, fmt.Errorf("a timestamp resolution of 2^-%d is not supported", n)
		}
		t.mul, t.div = 1e9, 1<<n
		return t, nil
	}
	if n > 27 {
		return t, fmt.Errorf("a timestamp resolution of 10^-%d is not supported", n)
	}
	for ; n < 9; n++ {
		t.mul *= 10
	}
	for ; n > 9; n-- {
		t.div *= 10
	}
	return t, nil
}

// unix returns Unix nanoseconds. It returns false for a time below minTime or above maxTime.
func (t *ngTime) unix(ticks uint64) (int64, bool) {
	hi, ns := bits.Mul64(ticks, t.mul)
	if hi >= t.div {
		return 0, false
	}
	if t.div != 1 {
		ns, _ = bits.Div64(hi, ns, t.div)
	}
	unix := int64(ns) + t.offset // a sum that overflows is below minTime
	return unix, ns <= math.MaxInt64 && unix >= minTime && unix <= maxTime
}
