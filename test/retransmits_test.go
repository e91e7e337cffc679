package test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// health is what a row says of TCP.
type health struct {
	Retransmits     uint64
	RetransmitBytes uint64 `json:"retransmit_bytes"`
	Resets          uint64
	ConnectFailed   uint64 `json:"connect_failed"`
}

// healthByFlow counts a capture, and returns the health of each flow.
func healthByFlow(t *testing.T, args ...string) map[tuple]health {
	t.Helper()
	var r struct {
		Flows []struct {
			Src, Dst      netip.Addr
			SrcPort       uint16 `json:"src_port"`
			DstPort       uint16 `json:"dst_port"`
			RetransmitsBy string `json:"retransmits_by"`
			health
		}
	}
	if err := json.Unmarshal([]byte(run(t, append(args, "--output", "json")...)), &r); err != nil {
		t.Fatal(err)
	}
	all := map[tuple]health{}
	for _, f := range r.Flows {
		if f.health != (health{}) {
			k := tuple{netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort)}
			h := all[k] // of another direction
			all[k] = health{h.Retransmits + f.Retransmits, h.RetransmitBytes + f.RetransmitBytes, h.Resets + f.Resets, h.ConnectFailed + f.ConnectFailed}
		}
		if (f.RetransmitsBy == "sequence") != (f.Retransmits > 0) {
			t.Errorf("%+v: retransmits are known by %q", f.health, f.RetransmitsBy)
		}
	}
	return all
}

// TestRetransmitsAgainstTshark: of each flow, as many segments and bytes were sent again, and as
// many RST were sent, as tshark says. A capture cut by its snap length says the same, and so do
// intervals and the parts of the capture.
func TestRetransmitsAgainstTshark(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	converse := func(c *tcpTalk) {
		rnd := rand.New(rand.NewPCG(5, 6))
		for range 400 {
			c.converse(rnd)
		}
	}
	whole, headers := writeTalk(t, 0, converse), writeTalk(t, 54, converse)
	first, second := halves(t, whole)
	want, kinds := tsharkHealth(t, tshark, whole)
	for _, kind := range []string{"retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "keep_alive", "reset"} {
		if kinds[kind] < 50 {
			t.Errorf("tshark sees %d times %s", kinds[kind], kind)
		}
	}
	for name, got := range map[string]map[tuple]health{
		"whole": healthByFlow(t, whole), "headers": healthByFlow(t, headers),
		"intervals": healthByFlow(t, whole, "-r", "3s"), "parts": healthByFlow(t, second, first),
		"parts in intervals": healthByFlow(t, second, first, "-r", "3s"),
	} {
		var differences differences
		for k, n := range want {
			if got[k] != n {
				differences.add("%s: %v: %+v, tshark %+v", name, k, got[k], n)
			}
		}
		for k, n := range got {
			if want[k] == (health{}) {
				differences.add("%s: %v: %+v, tshark none", name, k, n)
			}
		}
		differences.report(t)
	}
	// The same packets at two places are not sent again.
	for _, args := range [][]string{{whole, headers}, {whole, headers, "-r", "3s"}, {onInterfaces(t, whole, 2, 3)}} {
		twice := healthByFlow(t, args...)
		for k, n := range want {
			if twice[k] != (health{2 * n.Retransmits, 2 * n.RetransmitBytes, 2 * n.Resets, 0}) {
				t.Fatalf("%v: %v: %+v, want twice %+v", args, k, twice[k], n)
			}
		}
	}
}

// TestConnectFailed: a capture has the attempts that were refused or not answered, at the flow of
// the SYN.
func TestConnectFailed(t *testing.T) {
	file := writeTalk(t, 0, func(c *tcpTalk) {
		const second = time.Second
		attempt := func(answer flow.TCPFlags, gaps ...time.Duration) {
			c.port++
			for _, gap := range append([]time.Duration{soon}, gaps...) {
				c.segment(client, 1, 0, flow.TCPSyn, gap)
			}
			if answer != 0 {
				c.received[server] = 2
				c.segment(server, 0, 0, answer|flow.TCPAck, soon)
			}
		}
		attempt(0, second, 2*second, 4*second)
		attempt(flow.TCPRst)
		attempt(flow.TCPSyn)
		c.segment(client, 2, 0, acked, 4*second)
		attempt(0, second)         // 4: for 4 s until the end
		attempt(0, second, second) // 5: for 3 s
		c.at = c.at.Add(second)
		attempt(0) // 6: too late to know
	})
	failed := map[uint16]uint64{}
	for k, h := range healthByFlow(t, file) {
		if h.ConnectFailed > 0 {
			failed[k.src.Port()-20_000] = h.ConnectFailed
		}
	}
	if want := (map[uint16]uint64{1: 1, 2: 1, 4: 1, 5: 1}); !maps.Equal(failed, want) {
		t.Errorf("failed by port: %v, want %v", failed, want)
	}
}

// halves cuts a capture into two files, in the middle of a connection.
func halves(t *testing.T, file string) (first, second string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, packets, err := pcapfile.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	middle := len(packets) / 2
	part := func(packets []pcapfile.Packet) string {
		return writeTalk(t, 0, func(c *tcpTalk) {
			for _, p := range packets {
				if err := c.w.Write(p); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	return part(packets[:middle]), part(packets[middle:])
}

// onInterfaces writes a capture as one on the device any (LINUX_SLL2), in which several interfaces
// receive each packet.
func onInterfaces(t *testing.T, file string, on ...uint32) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, packets, err := pcapfile.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	var to bytes.Buffer
	w, err := pcapfile.NewWriter(&to, packet.LinkTypeLinuxSLL2, 65535)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		ip := p.Data[14:]
		for _, i := range on {
			h := binary.BigEndian.AppendUint32([]byte{8, 0, 0, 0}, i)
			p.Data = append(append(h, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0), ip...)
			p.OrigLen = len(p.Data)
			if err := w.Write(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	name := filepath.Join(t.TempDir(), "any.pcap")
	if err := os.WriteFile(name, to.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// tsharkHealth returns what tshark says of each flow, and how often it says each kind.
func tsharkHealth(t *testing.T, tshark, file string) (map[tuple]health, map[string]int) {
	t.Helper()
	analysis := []string{"retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "keep_alive"}
	fields := []string{"ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.len", "tcp.flags.reset", "tcp.seq_raw"}
	args := []string{"-r", file, "-n", "-T", "fields", "-E", "occurrence=f"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	for _, f := range analysis {
		args = append(args, "-e", "tcp.analysis."+f)
	}
	out, err := exec.CommandContext(t.Context(), tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all, kinds, ends := map[tuple]health{}, map[string]int{}, map[tuple]uint32{}
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		number := func(s string) uint64 {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return n
		}
		k := tuple{netip.MustParseAddrPort(fmt.Sprintf("%s:%s", v[0], v[1])), netip.MustParseAddrPort(fmt.Sprintf("%s:%s", v[2], v[3]))}
		h, said := all[k], map[string]bool{}
		for i, kind := range analysis {
			if v[len(fields)+i] != "" {
				said[kind] = true
				kinds[kind]++
			}
		}
		length, seq := number(v[4]), uint32(number(v[6]))
		if (said["retransmission"] || said["fast_retransmission"] || said["spurious_retransmission"]) && !said["out_of_order"] {
			h.Retransmits++
			h.RetransmitBytes += min(length, uint64(ends[k]-seq)) // tshark does not say how much is new
		}
		if end := seq + uint32(length); length > 0 && int32(end-ends[k]) > 0 || ends[k] == 0 {
			ends[k] = end
		}
		if v[5] == "1" || v[5] == "True" {
			h.Resets++
			kinds["reset"]++
		}
		if h != (health{}) {
			all[k] = h
		}
	}
	return all, kinds
}
