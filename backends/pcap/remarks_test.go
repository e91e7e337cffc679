package pcap

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

func notesOf(src registry.Source) []string { return src.(registry.Attached).Attachment().Notes }

// A packet of an unsupported link type does not end a pcapng file: it counts by its length, and a
// note gives the reason.
func TestNGUnreadLinkType(t *testing.T) {
	p, other := packetAt{data: frame(0, 10)}, packetAt{data: make([]byte, 100), orig: 200}
	w := newNGWriter(le)
	w.iface(1, 0, w.option(2, []byte("eth0")...))
	w.iface(189, 0, w.option(2, []byte("usbmon1")...))
	w.packet(1, uint64(epoch/1000), &other)
	w.packet(0, uint64(epoch/1000), &p)
	w.packet(1, uint64(epoch/1000), &other)
	w.packet(0, uint64(epoch/1000), &p)
	src := mustOpen(t, write(t, "x", w.Bytes()), 0)
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) || got.total().Packets != 4 {
		t.Fatalf("%+v, %v", got.total(), err)
	}
	for k, r := range got {
		if k.Ifindex != 2 {
			continue
		}
		if want := (flow.Counters{Packets: 2, FrameBytes: 400}); k.EtherType != flow.EtherTypeRunt || r.Counters != want {
			t.Errorf("%+v: %+v, want %+v", k.Key(), r.Counters, want)
		}
	}
	want := []string{"interface usbmon1: linktype 189 (USB_LINUX) is not supported: its packets count by their length, as ETH 0xffff"}
	if notes := notesOf(src); !slices.Equal(notes, want) {
		t.Errorf("notes %q", notes)
	}
}

// A pcapng file without any readable packet ends with an error.
func TestNGNothingRead(t *testing.T) {
	w := newNGWriter(le)
	w.iface(189, 0)
	w.packet(0, 0, &packetAt{data: make([]byte, 20)})
	file := write(t, "x", w.Bytes())
	got, _, err := collectAll(mustOpen(t, file, 0))
	if err == nil || err.Error() != file+": linktype 189 (USB_LINUX) is not supported" || got.total().Packets != 1 {
		t.Errorf("%d packets, %v", got.total().Packets, err)
	}
}

// The number of notes has a bound.
func TestNGManyUnreadLinkTypes(t *testing.T) {
	w := newNGWriter(le)
	w.iface(1, 0)
	for i := range uint16(1000) {
		w.iface(1000+i, 0)
	}
	p := packetAt{data: frame(0, 10)}
	for i := range uint32(1001) {
		w.packet(i, 0, &p)
	}
	src := mustOpen(t, write(t, "x", w.Bytes()), 0)
	if got, _, err := collectAll(src); !errors.Is(err, io.EOF) || got.total().Packets != 1001 {
		t.Errorf("%d packets, %v", got.total().Packets, err)
	}
	if n := len(notesOf(src)); n != maxUnread {
		t.Errorf("%d notes", n)
	}
}

// An interface of an unsupported link type does no harm while it has no packets.
func TestNGUnreadLinkTypeUnused(t *testing.T) {
	w := newNGWriter(le)
	w.iface(189, 0)
	w.iface(1, 0)
	w.packet(1, 0, &packetAt{data: frame(0, 1)})
	src := mustOpen(t, write(t, "x", w.Bytes()), 0)
	if got, _, err := collectAll(src); !errors.Is(err, io.EOF) || got.total().Packets != 1 || notesOf(src) != nil {
		t.Errorf("%d packets, %v, notes %q", got.total().Packets, err, notesOf(src))
	}
}

// A packet with a time out of range counts with the time of the packet before, and a note gives
// its number.
func TestTimesOutOfRange(t *testing.T) {
	const swapped = uint64(1_700_000_000) << 32 // some writers put seconds and nanoseconds there
	for name, c := range map[string]struct {
		ticks  uint64
		offset int64
		wild   bool
	}{
		"seconds in the upper half": {ticks: swapped, wild: true},
		"2117":                      {ticks: 4_638_000_000_000_000, wild: true},
		"2115":                      {ticks: 4_575_000_000_000_000},
		"largest":                   {ticks: 1<<64 - 1, wild: true},
		"offset beyond":             {ticks: 1, offset: 1 << 40, wild: true},
		"offset before":             {ticks: 1, offset: -1 << 62, wild: true},
		"offset back into range":    {ticks: 8_000_000_000_000_000, offset: -4_000_000_000},
		"1800":                      {ticks: 0, offset: -5_364_662_400, wild: true},
		"1900":                      {ticks: 0, offset: -2_208_988_800},
	} {
		w := newNGWriter(le)
		w.iface(1, 0)
		w.iface(1, 0, w.option(14, le.AppendUint64(nil, uint64(c.offset))...))
		p := packetAt{data: frame(0, 10)}
		w.packet(0, uint64(epoch/1000), &p)
		w.packet(1, c.ticks, &p)
		src := mustOpen(t, write(t, "x", w.Bytes()), 0)
		got, each, err := collectAll(src)
		if !errors.Is(err, io.EOF) || got.total().Packets != 2 {
			t.Fatalf("%s: %d packets, %v", name, got.total().Packets, err)
		}
		notes := strings.Join(notesOf(src), " ")
		if strings.HasPrefix(notes, "packet 2: its time is not between 1896 and 2116") != c.wild {
			t.Errorf("%s: notes %q", name, notes)
		}
		if is := each[0].start.Equal(each[0].end); is != c.wild {
			t.Errorf("%s: from %v to %v", name, each[0].start, each[0].end)
		}
	}
}
