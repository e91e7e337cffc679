package pcapfile

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
)

func file(t *testing.T, packets ...Packet) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, packet.LinkTypeLinuxSLL2, 96)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	want := []Packet{{at, []byte{1, 2, 3}, 1500}, {at.Add(time.Second), []byte{}, 0}, {at, []byte{4}, 1}}
	l, got, err := Read(file(t, want...))
	if err != nil || l != packet.LinkTypeLinuxSLL2 || len(got) != len(want) {
		t.Fatalf("%v, %d packets, %v", l, len(got), err)
	}
	for i := range want {
		if !got[i].Time.Equal(want[i].Time) || !bytes.Equal(got[i].Data, want[i].Data) || got[i].OrigLen != want[i].OrigLen {
			t.Errorf("packet %d: %+v, want %+v", i+1, got[i], want[i])
		}
	}
}

// TestHeader: the file has the header that tcpdump writes on a little-endian machine.
func TestHeader(t *testing.T) {
	want := []byte{
		0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 0x14, 1, 0, 0,
		7, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 60, 0, 0, 0, 0xaa, 0xbb,
	}
	if got := file(t, Packet{time.Unix(7, 9000), []byte{0xaa, 0xbb}, 60}); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

func TestDamaged(t *testing.T) {
	whole := file(t, Packet{time.Unix(0, 0), make([]byte, 20), 20})
	for _, n := range []int{0, 4, headerLen - 1, headerLen + 1, headerLen + recordLen - 1, len(whole) - 1} {
		if _, _, err := Read(whole[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	whole[0] = 0
	if _, _, err := Read(whole); !errors.Is(err, ErrFormat) {
		t.Errorf("another magic number: %v", err)
	}
}

type fullDisk struct{ free int }

var errFull = errors.New("full")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.free -= len(b); d.free < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteError(t *testing.T) {
	if _, err := NewWriter(&fullDisk{}, packet.LinkTypeEthernet, 0); !errors.Is(err, errFull) {
		t.Errorf("header: %v", err)
	}
	w, err := NewWriter(&fullDisk{free: headerLen}, packet.LinkTypeEthernet, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Packet{Data: []byte{1}}); !errors.Is(err, errFull) {
		t.Errorf("packet: %v", err)
	}
}
