package packet_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// maxLinkType is larger than every number with a name.
const maxLinkType = 400

// read returns what a frame was read as, in the terms of linkFrame.want.
func read(r *flow.Record) string {
	k := r.Key.Key()
	words := map[string]string{
		"192.0.2.1:40001 192.0.2.2:40002 UDP":         "udp4",
		"[2001:db8::1]:40001 [2001:db8::2]:40002 UDP": "udp6",
		"192.0.2.1:0 192.0.2.2:0 ARP":                 "arp",
		"invalid AddrPort invalid AddrPort ETH":       k.EtherType.String(),
	}
	s := fmt.Sprintf("%v %v %s", k.Src, k.Dst, k.Protocol())
	if words[s] != "" {
		s = words[s]
	}
	if k.VLAN != 0 {
		s += fmt.Sprintf(" vlan %d", k.VLAN)
	}
	return s
}

// layer3 returns the layer-3 bytes of a linkFrame.want.
func layer3(want string) uint64 {
	switch {
	case strings.HasPrefix(want, "udp4"):
		return n4
	case strings.HasPrefix(want, "udp6"):
		return n6
	}
	return 0
}

func TestLinkFrames(t *testing.T) {
	for _, l := range linkFrames() {
		t.Run(fmt.Sprintf("%d %s", l.link, l.name), func(t *testing.T) {
			f := packet.Frame{Data: []byte{1}, Len: 1, EtherType: 1, LinkLen: 1, Opaque: true, Tagged: true, TCI: 1, Segments: 1}
			if !l.link.Frame(l.captured(), len(l.data), &f) || !l.link.Supported() {
				t.Fatal("the link type is not supported")
			}
			got := dirty()
			packet.Parse(&f, &got)
			want := flow.Counters{Packets: 1, Bytes: layer3(l.want), FrameBytes: uint64(l.frame)}
			if read(&got) != l.want || got.Counters != want {
				t.Errorf("read as %s %+v, want %s %+v", read(&got), got.Counters, l.want, want)
			}
			if dir := l.link.Direction(l.captured()); dir != l.dir {
				t.Errorf("direction %q, want %q", dir, l.dir)
			}
		})
	}
}

// Every supported link type has a frame in the tests. A prefix of a frame is parsed without panic
// and counts no more bytes than the frame.
func TestLinkFramesCut(t *testing.T) {
	tested := map[packet.LinkType]bool{}
	for _, l := range linkFrames() {
		tested[l.link] = true
		for n := range l.data {
			var f packet.Frame
			var r flow.Record
			l.link.Frame(l.data[:n], len(l.data), &f)
			packet.Parse(&f, &r)
			if r.FrameBytes > uint64(len(l.data)) || r.Bytes > r.FrameBytes {
				t.Errorf("%v %s, %d bytes captured: %+v", l.link, l.name, n, r.Counters)
			}
		}
	}
	for _, c := range cases(t) {
		tested[c.LinkType] = true
	}
	for l := range packet.LinkType(maxLinkType) {
		if l.Supported() && !tested[l] {
			t.Errorf("%v has no frame in the tests", l)
		}
	}
}

// unknownToTShark are the link types that tshark 4.0 cannot read.
var unknownToTShark = []packet.LinkType{166, 205, 206, 219, 281, 282, 284, 285}

// TestLinkFramesTShark compares the parser with tshark on the same packets.
func TestLinkFramesTShark(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	byLink := map[packet.LinkType][]linkFrame{}
	for _, l := range linkFrames() {
		if !slices.Contains(unknownToTShark, l.link) {
			byLink[l.link] = append(byLink[l.link], l)
		}
	}
	for link, frames := range byLink {
		t.Run(link.String(), func(t *testing.T) {
			lines := tsharkReads(t, tshark, link, frames)
			if len(lines) != len(frames) {
				t.Fatalf("tshark read %d packets of %d", len(lines), len(frames))
			}
			for i, l := range frames {
				n := len(l.data)
				if link == 204 { // tshark does not count this header either
					n = l.frame
				}
				got, want := lines[i], fmt.Sprintf("%d %s", n, tsharkWant(l.want))
				if l.tsharkDiffers == "" && got != want {
					t.Errorf("%s: tshark %q, want %q", l.name, got, want)
				}
				if l.tsharkDiffers != "" && got == want {
					t.Errorf("%s: tshark should differ (%s), but reads the same", l.name, l.tsharkDiffers)
				}
			}
		})
	}
}

// tsharkWant returns tshark's output for a linkFrame.want.
func tsharkWant(want string) string {
	switch {
	case strings.HasPrefix(want, "udp4"):
		return "192.0.2.1 192.0.2.2 40001"
	case strings.HasPrefix(want, "udp6"):
		return "2001:db8::1 2001:db8::2 40001"
	case want == "arp":
		return "192.0.2.1 192.0.2.2"
	}
	return ""
}

// TestLinkFramesTCPDump compares the parser with tcpdump on link types that tshark cannot read.
func TestLinkFramesTCPDump(t *testing.T) {
	tcpdump := testenv.Tool(t, "tcpdump", "tcpdump")
	for _, l := range linkFrames() {
		switch l.link {
		case 19, 106, 166, 281, 282, 284, 285:
		default:
			continue
		}
		t.Run(fmt.Sprintf("%d %s", l.link, l.name), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.pcap")
			writeFrames(t, file, l.link, []linkFrame{l})
			out, err := exec.Command(tcpdump, "-nn", "-t", "-q", "-r", file).Output()
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "IP 192.0.2.1.40001 > 192.0.2.2.40002: UDP", false: "IP6 2001:db8::1.40001 > 2001:db8::2.40002: UDP"}
			for v4, line := range want {
				if is := strings.HasPrefix(l.want, map[bool]string{true: "udp4", false: "udp6"}[v4]); is != strings.Contains(string(out), line) {
					t.Errorf("%s: tcpdump prints %s", l.want, out)
				}
			}
		})
	}
}

// tsharkReads returns length, addresses and source port of each packet.
func tsharkReads(t *testing.T, tshark string, link packet.LinkType, frames []linkFrame) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.pcap")
	writeFrames(t, file, link, frames)
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "occurrence=f"}
	for _, f := range []string{"frame.len", "ip.src", "ipv6.src", "arp.src.proto_ipv4", "ip.dst", "ipv6.dst", "arp.dst.proto_ipv4", "udp.srcport"} {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tshark, args...)
	out, err := cmd.Output()
	if err != nil {
		if e := (*exec.ExitError)(nil); errors.As(err, &e) {
			t.Fatalf("tshark: %v: %s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		s := strings.Join(fields, " ")
		if len(fields) == 1 {
			s += " "
		}
		lines = append(lines, s)
	}
	return lines
}

func writeFrames(t *testing.T, file string, link packet.LinkType, frames []linkFrame) {
	t.Helper()
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcapfile.NewWriter(io.Writer(out), link, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range frames {
		if err := w.Write(pcapfile.Packet{Time: time.Unix(1_700_000_000, 0), Data: l.captured(), OrigLen: len(l.data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLinkTypeNames compares the names with tcpdump's. An old tcpdump knows fewer names.
func TestLinkTypeNames(t *testing.T) {
	tcpdump := testenv.Tool(t, "tcpdump", "tcpdump")
	named := regexp.MustCompile(`link-type ([A-Z]\w+) \(`)
	file := filepath.Join(t.TempDir(), "x.pcap")
	renamed := map[packet.LinkType]string{195: "IEEE802_15_4_WITHFCS", 209: "I2C_LINUX"} // after libpcap 1.10
	compared := 0
	for l := range packet.LinkType(maxLinkType) {
		writeFrames(t, file, l, nil)
		out, _ := exec.Command(tcpdump, "-r", file).CombinedOutput()
		m := named.FindSubmatch(out)
		if m == nil {
			continue
		}
		if compared++; l.Name() != string(m[1]) && renamed[l] != string(m[1]) {
			t.Errorf("%d has the name %q, tcpdump prints %q", uint32(l), l.Name(), m[1])
		}
	}
	if compared < 100 {
		t.Errorf("tcpdump has printed %d names", compared)
	}
}

func TestLinkTypeString(t *testing.T) {
	for l, want := range map[packet.LinkType]string{
		1: "linktype 1 (EN10MB)", 127: "linktype 127 (IEEE802_11_RADIO)", 189: "linktype 189 (USB_LINUX)",
		276: "linktype 276 (LINUX_SLL2)", 8224: "linktype 8224", 1<<32 - 1: "linktype 4294967295",
	} {
		if l.String() != want {
			t.Errorf("%q, want %q", l.String(), want)
		}
	}
}

// A packet of an unsupported link type counts by its length.
func TestUnknownLinkType(t *testing.T) {
	for _, l := range []packet.LinkType{2, 189, 8224, 1 << 16, 1<<28 | 1} {
		var f packet.Frame
		if l.Supported() || l.Frame(make([]byte, 60), 70, &f) {
			t.Errorf("%v counts as supported", l)
		}
		r := dirty()
		packet.Parse(&f, &r)
		if read(&r) != "0xffff" || r.Counters != (flow.Counters{Packets: 1, FrameBytes: 70}) {
			t.Errorf("%v: %s %+v", l, read(&r), r.Counters)
		}
	}
}

// Frame sets every field of a reused Frame.
func TestFrameIsReset(t *testing.T) {
	for _, l := range []packet.LinkType{0, 1, 101, 108, 113, 228, 229, 276} {
		for _, data := range [][]byte{nil, make([]byte, 60)} {
			f := packet.Frame{
				Data: []byte{1}, Len: 1, Raw: l == packet.LinkTypeEthernet, EtherType: 1, LinkLen: 1, Opaque: true,
				Tagged: true, TCI: 1, Segments: 1,
			}
			var fresh packet.Frame
			l.Frame(data, len(data), &f)
			l.Frame(data, len(data), &fresh)
			if len(f.Data) != len(fresh.Data) || f.Len != fresh.Len || f.Raw != fresh.Raw || f.EtherType != fresh.EtherType ||
				f.LinkLen != fresh.LinkLen || f.Opaque != fresh.Opaque || f.Tagged || f.TCI != 0 || f.Segments != 0 {
				t.Errorf("%v: %+v, want %+v", l, f, fresh)
			}
		}
	}
}

// Some capture writers set the original length to 0.
func TestOrigLenBelowCaptured(t *testing.T) {
	data := make([]byte, 60)
	for _, l := range []packet.LinkType{packet.LinkTypeEthernet, packet.LinkTypeRaw} {
		var f packet.Frame
		var r flow.Record
		l.Frame(data, 0, &f)
		packet.Parse(&f, &r)
		if r.FrameBytes != 60 {
			t.Errorf("%v: %d frame bytes of 60", l, r.FrameBytes)
		}
	}
}

// docs/accounting.md lists the supported link types with their names.
func TestLinkTypesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/accounting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Link types of captures\n")
	section, _, _ = strings.Cut(section, "\n## ")
	number := regexp.MustCompile(`(?:([A-Z][A-Z_0-9]+) |, | and )(\d+)\b`)
	documented := map[packet.LinkType]bool{}
	for line := range strings.Lines(section) {
		cell, isRow := strings.CutPrefix(line, "| ")
		if !isRow || strings.HasPrefix(cell, "`") {
			continue
		}
		cell, _, _ = strings.Cut(cell, " |")
		for _, m := range number.FindAllStringSubmatch(cell, -1) {
			n, err := strconv.ParseUint(m[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			l := packet.LinkType(n)
			documented[l] = true
			if m[1] != "" && m[1] != l.Name() {
				t.Errorf("%v is documented as %s", l, m[1])
			}
		}
	}
	for l := range packet.LinkType(maxLinkType) {
		if l.Supported() != documented[l] {
			t.Errorf("%v: supported %v, documented %v", l, l.Supported(), documented[l])
		}
	}
}
