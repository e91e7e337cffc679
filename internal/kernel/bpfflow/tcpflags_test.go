package bpfflow

import (
	"encoding/hex"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TCP flags (RFC 9293).
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
	ece = 0x40
	cwr = 0x80
)

// loadOnly loads the table of a backend's object with the named programs only.
func loadOnly(t *testing.T, object string, programs ...string) *Table {
	t.Helper()
	testenv.Privileged(t)
	spec, err := ebpf.LoadCollectionSpec(filepath.Join("..", "..", "..", "backends", object))
	if err != nil {
		t.Fatal(err)
	}
	all := spec.Programs
	spec.Programs = map[string]*ebpf.ProgramSpec{}
	for _, name := range programs {
		spec.Programs[name] = all[name]
	}
	table, err := Load(spec, Options{MaxFlows: 64, Now: time.Now})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}

// tcpFlags returns the flags of all flows by destination port.
func (t *Table) tcpFlags() map[uint16]uint8 {
	flags := map[uint16]uint8{}
	add := func(meta uint32, decode func(*flow.Record)) {
		var r flow.Record
		if meta != 0 {
			decode(&r)
			flags[uint16(r.Key.L4)] |= uint8(r.TCPFlags)
		}
	}
	for i := range t.maps.flows4 {
		add(t.maps.flows4[i].Meta, t.maps.flows4[i].decode)
	}
	for i := range t.maps.flowsWide {
		add(t.maps.flowsWide[i].Meta, t.maps.flowsWide[i].decode)
	}
	for i := range t.maps.flowsSocket {
		add(t.maps.flowsSocket[i].Meta, t.maps.flowsSocket[i].decode)
	}
	return flags
}

// TestTCPFlags: slots of every kind hold the union of their packets' flags, by the fast and by
// the general path. Later fragments have port 0 and no flags.
func TestTCPFlags(t *testing.T) {
	const (
		eth4, eth6 = "0200000000020200000000010800", "02000000000202000000000186dd"
		tcp        = "0001" + "PORT" + "00000001" + "00000002" + "50FF" + "010000000000"
		addrs4     = "c0000201c0000202"
		addrs6     = "20010db800000000000000000000000120010db8000000000000000000000002"
	)
	frame := func(layout, port, flags string) []byte {
		b, err := hex.DecodeString(strings.NewReplacer("PORT", port, "FF", flags).Replace(layout))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	packets := [][]byte{
		frame(eth4+"4500002800000000400600aa"+addrs4+tcp, "0001", "c2"),
		frame(eth4+"4500002800000000400600aa"+addrs4+tcp, "0001", "01"),
		frame(eth4+"4600002c00000000400600aa"+addrs4+"01010101"+tcp, "0002", "04"), // options
		frame(eth4+"4500002800002000400600aa"+addrs4+tcp, "0003", "02"),            // first fragment
		frame(eth4+"4500002800000001400600aa"+addrs4+tcp, "0004", "ee"),            // later fragment
		frame(eth6+"6000000000140640"+addrs6+tcp, "0005", "50"),
		frame(eth6+"60000000001c0040"+addrs6+"0600010400000000"+tcp, "0006", "11"), // hop-by-hop options
		frame(eth6+"60000000001c2c40"+addrs6+"0600000100000000"+tcp, "0007", "02"), // first fragment
		frame(eth6+"60000000001c2c40"+addrs6+"0600000800000000"+tcp, "0008", "ee"), // later fragment
	}
	want := map[uint16]uint8{0: 0, 1: cwr | ece | syn | fin, 2: rst, 3: syn, 5: ece | ack, 6: ack | fin, 7: syn}
	for _, c := range []struct{ object, program string }{
		{"tc/tc_bpfel.o", "tc_ingress"},
		{"xdp/xdp_bpfel.o", "xdp_ingress"},
		{"cgroup/cgroup_bpfel.o", "cgroup_ingress"},
	} {
		t.Run(c.program, func(t *testing.T) {
			table := loadOnly(t, c.object, c.program)
			for _, p := range packets {
				if _, err := table.Programs[c.program].Run(&ebpf.RunOptions{Data: p}); err != nil {
					t.Fatal(err)
				}
			}
			got := table.tcpFlags()
			for port, flags := range want {
				if f, ok := got[port]; !ok || f != flags {
					t.Errorf("port %d has the flags %#x, want %#x", port, f, flags)
				}
			}
			if len(got) != len(want) {
				t.Errorf("flows %v, want %v", got, want)
			}
		})
	}
}

// TestTCPFlagsKernel is TestTCPFlags for programs that BPF_PROG_TEST_RUN cannot run. They see a
// real connection.
func TestTCPFlagsKernel(t *testing.T) {
	table := loadOnly(t, "kprobe/kprobe_bpfel.o", "tracepoint_netif_receive_skb")
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{
		Name: "netif_receive_skb", Program: table.Programs["tracepoint_netif_receive_skb"],
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	const want = syn | ack | fin
	var got uint8
	for end := time.Now().Add(5 * time.Second); got&want != want && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = table.tcpFlags()[port]
	}
	if got&want != want || got&(rst|cwr) != 0 {
		t.Errorf("the flags are %#x, want %#x", got, want)
	}
}
