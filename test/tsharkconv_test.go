package test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// conversation is one direction of a line of tshark's conversation statistics.
type conversation struct {
	table    string // "TCP", "UDP", "IPv4", "IPv6"
	src, dst string
}

// checkConversations compares with tshark's sums (-z conv): TCP and UDP by ports, IP by addresses.
// tshark does not distinguish VLANs. It also lists packets inside tunnels, which pktstat does not
// count.
func checkConversations(t *testing.T, tshark, capture string, ours sums[id]) {
	want := sums[conversation]{}
	for i, n := range ours {
		switch {
		case !i.Src.IsValid() || i.Proto == "ARP":
			continue
		case i.Src.Is4():
			want.add(conversation{"IPv4", i.Src.String(), i.Dst.String()}, n)
		default:
			want.add(conversation{"IPv6", i.Src.String(), i.Dst.String()}, n)
		}
		// A later fragment has no ports, and tshark lists no conversation for it.
		if (i.Proto == "TCP" || i.Proto == "UDP") && i.SrcPort != 0 {
			want.add(conversation{i.Proto, endpoint(i.Src, i.SrcPort), endpoint(i.Dst, i.DstPort)}, n)
		}
	}
	theirs := tsharkConversations(t, tshark, capture)
	var differences differences
	for c, n := range want {
		if got, ours := theirs[c], tsharkCounters(n); got != ours {
			differences.add("%+v: %s, tshark %s", c, ours, got)
		}
		delete(theirs, c)
	}
	for c, n := range theirs {
		if n != tsharkCounters(flow.Counters{}) && !strings.HasPrefix(c.src, innerNet) {
			differences.add("%+v: only tshark sees it, %s", c, n)
		}
	}
	differences.report(t)
}

// innerNet is the network of packets inside tunnels, in captures of package trafficgen.
const innerNet = "192.0.2."

func endpoint(a netip.Addr, port uint16) string { return fmt.Sprintf("%s:%d", a, port) }

// tsharkCounters formats packets and frame bytes as tshark does. It truncates bytes to at least two
// digits of a larger unit (format_size, SI prefixes).
func tsharkCounters(c flow.Counters) string {
	size, unit := c.FrameBytes, "bytes"
	for _, u := range []string{"kB", "MB", "GB"} {
		if size/1000 < 10 {
			break
		}
		size, unit = size/1000, u
	}
	return fmt.Sprintf("%d %d %s", c.Packets, size, unit)
}

var (
	conversationTable = regexp.MustCompile(`^(TCP|UDP|IPv4|IPv6) Conversations`)
	conversationLine  = regexp.MustCompile(`^(\S+)\s+<->\s+(\S+)\s+(\d+) (\d+) (\w+)\s+(\d+) (\d+) (\w+)\s`)
)

func tsharkConversations(t *testing.T, tshark, capture string) map[conversation]string {
	t.Helper()
	args := []string{"-r", capture, "-n", "-q", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"}
	for _, table := range []string{"tcp", "udp", "ip", "ipv6"} {
		args = append(args, "-z", "conv,"+table)
	}
	cmd := exec.CommandContext(t.Context(), tshark, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	found := map[conversation]string{}
	table := ""
	for line := range strings.Lines(string(out)) {
		if m := conversationTable.FindStringSubmatch(line); m != nil {
			table = m[1]
		}
		if m := conversationLine.FindStringSubmatch(line); m != nil {
			found[conversation{table, m[2], m[1]}] = strings.Join(m[3:6], " ")
			found[conversation{table, m[1], m[2]}] = strings.Join(m[6:9], " ")
		}
	}
	return found
}
