package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// The transfer that docs/accounting.md begins with: a client asks, and a server answers
// with 1 MiB over TCP and IPv4.
const (
	transferRequest, transferReply = 100, 1 << 20
	transferDocument               = "docs/accounting.md"
)

// The rows of a table that are no backend of a live count.
const (
	transferCapture   = "pcap"      // reads what tcpdump has captured
	transferInterface = "interface" // the interface's own counters
)

// transferTable is a table of the document: what is counted of the transfer at the client.
type transferTable struct {
	name     string   // in the document
	offloads bool     // the kernel handles many segments as one super-frame
	rows     []string // xdp, which changes what a link can do, comes first
}

var transferTables = []transferTable{
	{"transfer", false, []string{"xdp", "tc", "afpacket", "kprobe", "cgroup", transferCapture, transferInterface}},
	{"transfer in super-frames", true, []string{"tc", "afpacket", "kprobe", "cgroup", transferCapture, transferInterface}},
}

// seenTransfer is what a row has of both directions.
type seenTransfer struct{ download, upload flow.Counters }

// TestTransfer: all backends count one transfer at the same time. Their numbers follow
// from one another, as the document says. With -update the document shows this run.
func TestTransfer(t *testing.T) {
	testenv.Privileged(t)
	for _, table := range transferTables {
		t.Run(table.name, func(t *testing.T) {
			var seen map[string]seenTransfer
			for try := 1; seen == nil; try++ {
				if try > 5 {
					t.Fatal("TCP sends segments again, or gets them in another order")
				}
				seen = table.observe(t)
			}
			table.check(t, seen)
			if *update && !t.Failed() {
				table.write(t, seen)
			}
		})
	}
}

// TestDocumentedTransfer: the numbers in the document follow from one another, too.
func TestDocumentedTransfer(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| (\w+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$`)
	for _, table := range transferTables {
		t.Run(table.name, func(t *testing.T) {
			shown := map[string]seenTransfer{}
			for _, m := range row.FindAllStringSubmatch(table.block(t), -1) {
				var n [6]uint64
				for i, text := range m[2:] {
					if text == unseen {
						continue
					}
					if _, err := fmt.Sscan(strings.ReplaceAll(text, ",", ""), &n[i]); err != nil {
						t.Fatalf("%s: %v", m[0], err)
					}
				}
				shown[m[1]] = seenTransfer{
					flow.Counters{Packets: n[0], Bytes: n[1], FrameBytes: n[2]},
					flow.Counters{Packets: n[3], Bytes: n[4], FrameBytes: n[5]},
				}
			}
			table.check(t, shown)
		})
	}
}

// observe runs the transfer. It returns nil if TCP has repeated something: such segments
// have options that check does not know.
func (table *transferTable) observe(t *testing.T) map[string]seenTransfer {
	server, client := testnet.Pair(t, testnet.Link{Offloads: table.offloads})
	running := map[string]*process{}
	for _, name := range table.rows {
		args, host := []string{"--backend", name, "-t", "0", "--output", "json"}, (*testnet.Host)(nil)
		switch name {
		case transferCapture, transferInterface:
			continue
		case "xdp", "tc", "afpacket":
			args, host = append(args, "-i", client.Name), client.Host
		}
		running[name] = start(t, host, args...)
		running[name].counting()
	}
	capture := startTcpdump(t, client)
	before := client.Settle()
	up, down := testnet.SendTCP(t, client, server, testnet.TCP{Request: transferRequest, Reply: transferReply})
	crossed := client.Settle().Minus(before)
	file, netns := capture.end(), namespaceOf(t, client.Host)

	seen := map[string]seenTransfer{}
	for name, p := range running {
		p.signal(syscall.SIGINT)
		if code := p.wait(); code != 0 {
			t.Fatalf("%s: exit code %d:\n%s", name, code, p.errors())
		}
		seen[name] = transferIn(t, p.stdout.String(), netns, idOf(&down), idOf(&up))
	}
	if server.Retransmits()+client.Retransmits()+client.TCPCounter("TCPOFOQueue") > 0 {
		return nil
	}
	seen[transferCapture] = transferIn(t, run(t, "--pcap-file", file, "--output", "json"), netns, idOf(&down), idOf(&up))
	seen[transferInterface] = seenTransfer{
		flow.Counters{Packets: crossed.RxPackets, FrameBytes: crossed.RxBytes},
		flow.Counters{Packets: crossed.TxPackets, FrameBytes: crossed.TxBytes},
	}
	if table.rows[0] == "xdp" { // which keeps Ethernet headers out of the interface's bytes: see testnet.Stats
		s := seen[transferInterface]
		s.download.FrameBytes, s.upload.FrameBytes = 0, 0
		seen[transferInterface] = s
	}
	return seen
}

// transferIn adds up the rows of both directions. Rows that name another network
// namespace are of the other end.
func transferIn(t *testing.T, text string, netns uint64, down, up id) (s seenTransfer) {
	t.Helper()
	parseReport(t, []byte(text)) // its sums
	var r struct {
		Flows []struct {
			id
			counters
			NetNS uint64
		}
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Flows {
		switch {
		case f.NetNS != 0 && f.NetNS != netns:
		case f.id == down:
			s.download.Add(f.flow())
		case f.id == up:
			s.upload.Add(f.flow())
		}
	}
	return s
}

// namespaceOf returns the inode number of a host's network namespace.
func namespaceOf(t *testing.T, h *testnet.Host) uint64 {
	t.Helper()
	var s syscall.Stat_t
	if err := syscall.Stat("/run/netns/"+h.NetNS(), &s); err != nil {
		t.Fatal(err)
	}
	return s.Ino
}

// check compares the rows with one another and with what the transfer takes.
func (table *transferTable) check(t *testing.T, seen map[string]seenTransfer) {
	t.Helper()
	const fewest = (transferReply+1447)/1448 + 1 // segments in frames of 1500 bytes, and SYN-ACK
	tc, capture := seen["tc"], seen[transferCapture]
	if tc.download.Packets < fewest || tc.upload.Packets < 4 { // SYN, ACK, request, FIN
		t.Errorf("tc counts %+v, which no TCP manages with", tc)
	}
	merged := capture.download.Packets < tc.download.Packets
	if merged != table.offloads {
		t.Errorf("the capture has %d packets of %d", capture.download.Packets, tc.download.Packets)
	}
	for _, name := range table.rows {
		want := seenTransfer{transferOf(transferReply, tc.download.Packets), transferOf(transferRequest, tc.upload.Packets)}
		switch name {
		case "xdp":
			want.upload = flow.Counters{}
		case "kprobe", "cgroup":
			want.download.FrameBytes, want.upload.FrameBytes = 0, 0
		case transferCapture:
			want.download = transferOf(transferReply, capture.download.Packets)
		case transferInterface:
			want = capture
			want.download.Bytes, want.upload.Bytes = 0, 0
			if slices.Contains(table.rows, "xdp") {
				want.download.FrameBytes, want.upload.FrameBytes = 0, 0
			}
		}
		if seen[name] != want {
			t.Errorf("%s counts %+v, want %+v", name, seen[name], want)
		}
	}
}

// transferOf returns the counters of a direction: each packet has 14 bytes of Ethernet, 20
// of IPv4 and 32 of TCP with its timestamps. SYN has 8 bytes of options more.
func transferOf(payload, packets uint64) flow.Counters {
	bytes := payload + packets*(20+32) + 8
	return flow.Counters{Packets: packets, Bytes: bytes, FrameBytes: bytes + packets*14}
}

// block returns what the document has between the lines around the table.
func (table *transferTable) block(t *testing.T) string {
	t.Helper()
	_, rest, begins := strings.Cut(read(t, transferDocument), "<!-- "+table.name+" -->\n")
	block, _, ends := strings.Cut(rest, "<!-- end -->\n")
	if !begins || !ends {
		t.Fatalf("%s has no table %q", transferDocument, table.name)
	}
	return block
}

// write puts the table into the document.
func (table *transferTable) write(t *testing.T, seen map[string]seenTransfer) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| seen by | packets down | bytes down | frame_bytes down | packets up | bytes up | frame_bytes up |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range table.rows {
		fmt.Fprintf(&b, "| %s |", name)
		for _, c := range []flow.Counters{seen[name].download, seen[name].upload} {
			for _, n := range []uint64{c.Packets, c.Bytes, c.FrameBytes} {
				fmt.Fprintf(&b, " %s |", thousands(n))
			}
		}
		b.WriteString("\n")
	}
	begin := "<!-- " + table.name + " -->\n"
	text := strings.Replace(read(t, transferDocument), begin+table.block(t), begin+b.String(), 1)
	if err := os.WriteFile(filepath.Join(root, transferDocument), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// unseen stands for 0 in the document.
const unseen = "–"

// thousands writes a number with commas.
func thousands(n uint64) string {
	if n == 0 {
		return unseen
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
