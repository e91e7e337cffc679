package test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// tuple is one direction of a TCP connection.
type tuple struct{ src, dst netip.AddrPort }

func tupleOf(k *flow.Key) tuple { return tuple{k.Src, k.Dst} }

func (r *row) tuple() tuple {
	return tuple{netip.AddrPortFrom(r.Src, r.SrcPort), netip.AddrPortFrom(r.Dst, r.DstPort)}
}

// flagsOf returns the TCP flags of each row, by tuple and direction.
func flagsOf(r *report) map[tuple]map[string]string {
	all := map[tuple]map[string]string{}
	for i := range r.Flows {
		if f := &r.Flows[i]; f.Proto == "TCP" {
			if all[f.tuple()] == nil {
				all[f.tuple()] = map[string]string{}
			}
			all[f.tuple()][f.Direction] = f.TCPFlags
		}
	}
	return all
}

// connections makes two connections: one that both ends close, and one that the server refuses. It
// does so over both IP versions, and returns the expected flags of each direction.
func connections(t *testing.T, client, server *testnet.Iface) map[tuple]string {
	t.Helper()
	want := map[tuple]string{}
	for _, v6 := range []bool{false, true} {
		there, back := testnet.SendTCP(t, client, server, testnet.TCP{V6: v6, DstPort: 5003, Request: 3000, Reply: 2000})
		want[tupleOf(&there)], want[tupleOf(&back)] = "SAPF", "SAPF"
		c := refused(t, client, server, v6)
		want[c], want[tuple{c.dst, c.src}] = "S", "AR"
	}
	return want
}

// refused tries to connect to a port without a listener.
func refused(t *testing.T, from, to *testnet.Iface, v6 bool) tuple {
	t.Helper()
	c := tuple{netip.AddrPortFrom(from.IPv4, 41000), netip.AddrPortFrom(to.IPv4, 4999)}
	if v6 {
		c = tuple{netip.AddrPortFrom(from.IPv6, 41000), netip.AddrPortFrom(to.IPv6, 4999)}
	}
	err := from.Do(func() error {
		conn, err := net.DialTCP("tcp", net.TCPAddrFromAddrPort(c.src), net.TCPAddrFromAddrPort(c.dst))
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("connect to %s: %v", c.dst, err)
	}
	return c
}

// TestTCPFlags: every backend that sees TCP headers reports the flags of a connection. That holds
// on both ends' interfaces and at sockets.
func TestTCPFlags(t *testing.T) {
	testenv.Privileged(t)
	for name, b := range registry.Backends.All() {
		if !b.Caps.Has(registry.CapLive) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			client, server := testnet.Pair(t, testnet.Link{})
			var runs []*process
			for _, end := range []*testnet.Iface{client, server} {
				args := []string{"-b", name, "-t", "0", "--output", "json", "--by", "flow,direction"}
				if b.Caps.Has(registry.CapInterfaces) {
					args = append(args, "-i", end.Name)
				} else if end == server {
					continue // it sees both ends
				}
				p := start(t, end.Host, args...)
				p.counting()
				runs = append(runs, p)
			}
			want := connections(t, client, server)
			client.Settle()
			server.Settle()
			ways := map[tuple]int{}
			for _, p := range runs {
				p.signal(syscall.SIGINT)
				if code := p.wait(); code != 0 {
					t.Fatalf("exit code %d:\n%s", code, p.errors())
				}
				r := parseReport(t, []byte(p.stdout.String()))
				for way, flags := range flagsOf(r) {
					for direction, got := range flags {
						if w, ok := want[way]; ok && got != w {
							t.Errorf("%s: %v, %s, has the flags %s, want %s", r.Attach, way, direction, got, w)
						}
						ways[way]++
					}
				}
			}
			for way, flags := range want {
				if ways[way] == 0 {
					t.Errorf("no row of %v with %s", way, flags)
				}
			}
		})
	}
}

// TestTCPFlagsAgainstTshark: pktstat and tshark read the same flags from a capture, which has
// headers with options, tags and extension headers.
func TestTCPFlagsAgainstTshark(t *testing.T) {
	testenv.Privileged(t)
	tshark := testenv.Tool(t, "tshark", "tshark")
	a, b := testnet.Pair(t, testnet.Link{})
	var runs []*process
	for _, name := range []string{"xdp", "tc", "afpacket"} {
		p := start(t, b.Host, "-b", name, "-i", b.Name, "-t", "0", "--output", "json")
		p.counting()
		runs = append(runs, p)
	}
	capture := startTcpdump(t, b)
	want := connections(t, a, b)
	maps.Copy(want, sendOddHeaders(a, b))
	b.Settle()
	file := capture.end()
	theirs := tsharkTCPFlags(t, tshark, file)
	for way, flags := range want {
		if theirs[way].String() != flags {
			t.Errorf("tshark: %v has the flags %s, want %s", way, theirs[way], flags)
		}
	}
	reports := []*report{parseReport(t, []byte(run(t, "--pcap-file", file, "--output", "json")))}
	for _, p := range runs {
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.errors())
		}
		reports = append(reports, parseReport(t, []byte(p.stdout.String())))
	}
	for _, r := range reports {
		ours := flagsOf(r)
		for way, flags := range theirs {
			for direction, got := range ours[way] {
				if got != flags.String() {
					t.Errorf("%s: %v, %s, has the flags %s, tshark %s", r.Backend, way, direction, got, flags)
				}
			}
			if egress := way.src.Addr() == b.IPv4 || way.src.Addr() == b.IPv6; ours[way] == nil && (r.Backend != "xdp" || !egress) {
				t.Errorf("%s does not see %v", r.Backend, way)
			}
		}
	}
}

// sendOddHeaders sends single segments with one flag each, and returns the flags of each tuple.
func sendOddHeaders(from, to *testnet.Iface) map[tuple]string {
	want := map[tuple]string{}
	port := uint16(42000)
	send := func(v6 bool, flags flow.TCPFlags, frame func(segment []byte) []byte) {
		port++
		c := tuple{netip.AddrPortFrom(from.IPv4, port), netip.AddrPortFrom(to.IPv4, 4999)}
		if v6 {
			c = tuple{netip.AddrPortFrom(from.IPv6, port), netip.AddrPortFrom(to.IPv6, 4999)}
		}
		segment := tcp(c.src, c.dst, 0)
		segment[13] = byte(flags)
		want[c] = flags.String()
		from.SendFrames(1, frame(segment))
	}
	over4 := func(options int) func([]byte) []byte {
		return func(segment []byte) []byte {
			p := ipv4(netip.AddrPortFrom(from.IPv4, 0), netip.AddrPortFrom(to.IPv4, 0), 6, 0, append(slices.Repeat([]byte{1}, options), segment...))
			p[0] = 0x45 + byte(options/4)
			return from.Ethernet(testnet.UnusedMAC, 0x0800, p)
		}
	}
	over6 := func(extensions ...int) func([]byte) []byte {
		return func(segment []byte) []byte {
			return from.Ethernet(testnet.UnusedMAC, 0x86dd, ipv6(from.IPv6, to.IPv6, extensions, segment))
		}
	}
	tagged := func(frame func([]byte) []byte) func([]byte) []byte {
		return func(segment []byte) []byte {
			f := frame(segment)
			return slices.Concat(f[:12], []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 42}, f[12:])
		}
	}
	for bit := range 8 {
		send(false, 1<<bit, over4(0))
		send(true, 1<<bit, over6())
	}
	for _, options := range []int{4, 40} {
		send(false, flow.TCPUrg|flow.TCPEce, over4(options))
		send(false, flow.TCPUrg|flow.TCPCwr, tagged(over4(options)))
	}
	for _, extensions := range [][]int{{8}, {8, 8}, {64, 128}, {256, 256, 8}, {504, 264, 8}} {
		send(true, flow.TCPFin|flow.TCPSyn|flow.TCPRst, over6(extensions...))
		send(true, flow.TCPPsh|flow.TCPRst, tagged(over6(extensions...)))
	}
	return want
}

// ipv6 returns a packet with TCP after extension headers of these lengths. The first is a
// hop-by-hop header, the others have destination options.
func ipv6(src, dst netip.Addr, extensions []int, segment []byte) []byte {
	const tcpNext, hopByHop, destination = 6, 0, 60
	var headers []byte
	next := byte(tcpNext)
	for i, length := range slices.Backward(extensions) {
		h := make([]byte, length) // filled with Pad1
		h[0], h[1] = next, byte(length/8-1)
		headers = append(h, headers...)
		if next = destination; i == 0 {
			next = hopByHop
		}
	}
	payload := slices.Concat(headers, segment)
	p := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 64}
	return slices.Concat(p, src.AsSlice(), dst.AsSlice(), payload)
}

// tsharkTCPFlags returns the flags of all segments of a capture.
func tsharkTCPFlags(t *testing.T, tshark, file string) map[tuple]flow.TCPFlags {
	t.Helper()
	fields := []string{"ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcp.flags"}
	args := []string{"-r", file, "-n", "-Y", "tcp", "-T", "fields", "-E", "occurrence=f"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.CommandContext(t.Context(), tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	end := func(v4, v6, port string) netip.AddrPort {
		a, err := netip.ParseAddrPort(fmt.Sprintf("[%s]:%s", v6, port))
		if v4 != "" {
			a, err = netip.ParseAddrPort(v4 + ":" + port)
		}
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	all := map[tuple]flow.TCPFlags{}
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		flags, err := strconv.ParseUint(v[6], 0, 16)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[tuple{end(v[0], v[1], v[2]), end(v[3], v[4], v[5])}] |= flow.TCPFlags(flags)
	}
	return all
}
