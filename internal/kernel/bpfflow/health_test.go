package bpfflow

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
)

// tcpFrame is a segment between two hosts, back or forth, with a port and flags.
func tcpFrame(t *testing.T, port uint16, flags uint8, back bool) []byte {
	t.Helper()
	const a, b = "c0000201", "c0000202"
	addrs, ports := a+b, fmt.Sprintf("%04x01bb", port)
	if back {
		addrs, ports = b+a, fmt.Sprintf("01bb%04x", port)
	}
	d, err := hex.DecodeString("0200000000020200000000010800" + "4500002800000000400600aa" + addrs + ports + "0000000100000002" + fmt.Sprintf("50%02x", flags) + "010000000000")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// collected is what a Collect says of connections.
type collected struct {
	resets, failed map[uint16]uint64 // by source port
	overflow       flow.Health
}

func collectHealth(t *testing.T, table *Table) collected {
	t.Helper()
	c := collected{resets: map[uint16]uint64{}, failed: map[uint16]uint64{}}
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs {
			src := uint16(rs[i].Key.L4 >> 16)
			if rs[i].Resets > 0 {
				c.resets[src] += rs[i].Resets
			}
			if rs[i].ConnectFailed > 0 {
				c.failed[src] += rs[i].ConnectFailed
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
	c.overflow = b.OverflowHealth
	return c
}

// TestHealth: programs count RST, in the overflow what a slot has no room for, and keep what tells
// a refused SYN from an answered one.
func TestHealth(t *testing.T) {
	for _, c := range []struct{ object, program string }{
		{"tc/tc_bpfel.o", "tc_ingress"},
		{"xdp/xdp_bpfel.o", "xdp_ingress"},
		{"cgroup/cgroup_bpfel.o", "cgroup_ingress"},
	} {
		t.Run(c.program, func(t *testing.T) {
			table := loadOnly(t, c.object, c.program)
			send := func(port uint16, flags uint8, back bool, times uint32) {
				t.Helper()
				if _, err := table.Programs[c.program].Run(&ebpf.RunOptions{Data: tcpFrame(t, port, flags, back), Repeat: times}); err != nil {
					t.Fatal(err)
				}
			}
			send(1, ack, false, 2)
			send(1, rst|ack, false, 2)
			send(2, rst, false, 300)
			send(3, syn, false, 1)
			send(3, rst|ack, true, 1)
			send(4, syn, false, 1)
			send(4, syn|ack, true, 1)
			send(4, rst, false, 1)
			got := collectHealth(t, table)
			if want := map[uint16]uint64{1: 2, 2: 255, 443: 1, 4: 1}; fmt.Sprint(got.resets) != fmt.Sprint(want) || got.overflow != (flow.Health{Resets: 45}) {
				t.Errorf("resets %v and %+v, want %v and 45", got.resets, got.overflow, want)
			}
			if want := map[uint16]uint64{3: 1}; fmt.Sprint(got.failed) != fmt.Sprint(want) {
				t.Errorf("failed %v, want %v", got.failed, want)
			}
			if notes := table.Notes(); len(notes) != 0 {
				t.Errorf("notes %q", notes)
			}
			if got := collectHealth(t, table); len(got.resets)+len(got.failed) != 0 || !got.overflow.IsZero() {
				t.Errorf("once more: %+v", got)
			}
		})
	}
}

// TestHealthBeyondRoom: the programs cannot keep all segments of handshakes. Then none of the
// pending ones fails for want of an answer, and a note has the number.
func TestHealthBeyondRoom(t *testing.T) {
	table := loadOnly(t, "tc/tc_bpfel.o", "tc_ingress")
	if _, err := table.Programs["tc_ingress"].Run(&ebpf.RunOptions{Data: tcpFrame(t, 9, syn, false), Repeat: maxSegments}); err != nil {
		t.Fatal(err)
	}
	collectHealth(t, table)
	if notes := table.Notes(); len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
	table.handshakes.Expire(sinceBoot()+int64(time.Minute), 1)
	if n := len(table.handshakes.Failed()); n != 0 {
		t.Errorf("%d handshakes failed", n)
	}
}
