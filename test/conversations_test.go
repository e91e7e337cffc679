package test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// pairedReport is a report of rows with two ends.
type pairedReport struct {
	Total, Rest, Overflow, Lost pairedSum
	RowCount                    int         `json:"row_count"`
	Rows                        []pairedRow `json:"flows"`
}

type pairedSum struct {
	counters
	Out, In *counters
}

type pairedRow struct {
	Proto         string
	Local, Remote netip.Addr
	Ports         ports
	VLAN          uint16
	NetNS         uint32
	EndsBy        string `json:"ends_by"`
	RTT           float64
	RTTBy         string `json:"rtt_by"`
	TCPState      string `json:"tcp_state"`
	counters
	Out, In counters
}

type ports struct {
	Local  uint16 `json:"local_port"`
	Remote uint16 `json:"remote_port"`
}

// UnmarshalJSON reads the ports, too.
func (r *pairedRow) UnmarshalJSON(b []byte) error {
	type plain pairedRow
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return err
	}
	return json.Unmarshal(b, &r.Ports)
}

// paired counts a capture by pairs of ends, and checks that the report adds up.
func paired(t *testing.T, args ...string) pairedReport {
	t.Helper()
	var r pairedReport
	if err := json.Unmarshal([]byte(run(t, append(args, "--output", "json")...)), &r); err != nil {
		t.Fatal(err)
	}
	sum, out, in := r.Rest.flow(), flow.Counters{}, flow.Counters{}
	sum.Add(r.Overflow.flow())
	sum.Add(r.Lost.flow())
	ends := func(s *counters, to *flow.Counters) {
		if s != nil {
			to.Add(s.flow())
		}
	}
	for _, s := range []pairedSum{r.Rest, r.Overflow} {
		ends(s.Out, &out)
		ends(s.In, &in)
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		sum.Add(row.flow())
		both := row.Out.flow()
		both.Add(row.In.flow())
		if both != row.flow() {
			t.Errorf("%+v: out and in are %+v", row, both)
		}
		out.Add(row.Out.flow())
		in.Add(row.In.flow())
	}
	if sum != r.Total.flow() || r.Total.Out == nil || out != r.Total.Out.flow() || in != r.Total.In.flow() {
		t.Errorf("rows, rest, overflow and lost are %+v, out %+v, in %+v; total %+v, %+v, %+v", sum, out, in, r.Total, r.Total.Out, r.Total.In)
	}
	return r
}

// TestConversationsAgainstTshark: in a capture of 200,000 packets the conversations are the
// pairs of flows, and tshark counts as many with the same packets and bytes.
func TestConversationsAgainstTshark(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	capture := mixCapture(t, 200_000, 8_000)
	flows := parseReport(t, []byte(run(t, capture, "--output", "json"))).byID()
	report := paired(t, capture, "--by", "conversation")

	// Each half of a conversation is a flow, and each flow is a half of one.
	var differences differences
	halves := sums[conversation]{}
	for i, n := range flows {
		halves.add(conversation{i.Proto, endpoint(i.Src, i.SrcPort), endpoint(i.Dst, i.DstPort)}, n)
	}
	theirs := tsharkConversations(t, tshark, capture)
	conversations := sums[conversation]{}
	for i := range report.Rows {
		r := &report.Rows[i]
		local, remote := endpoint(r.Local, r.Ports.Local), endpoint(r.Remote, r.Ports.Remote)
		conversations.add(conversation{r.Proto, local, remote}, r.Out.flow())
		conversations.add(conversation{r.Proto, remote, local}, r.In.flow())
	}
	for c, n := range halves {
		if conversations[c] != n {
			differences.add("%+v: %+v, the flows have %+v", c, conversations[c], n)
		}
	}
	checked := 0
	for c, n := range conversations {
		if n != halves[c] {
			differences.add("%+v: %+v, and no flow", c, n)
		}
		if (c.table == "TCP" || c.table == "UDP") && !strings.HasSuffix(c.src, ":0") { // a later fragment has no ports
			checked++
			if got, want := theirs[c], tsharkCounters(n); got != want {
				differences.add("%+v: %s, tshark %s", c, want, got)
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d conversations of TCP and UDP", checked)
	}
	differences.report(t)
	checkPairs(t, theirs, capture)
}

// checkPairs compares pairs of addresses with tshark's conversations of IP.
func checkPairs(t *testing.T, theirs map[conversation]string, capture string) {
	t.Helper()
	var differences differences
	pairs := sums[conversation]{}
	for _, r := range paired(t, capture, "--by", "pair,proto").Rows {
		table := "IPv6"
		switch {
		case r.Proto == "ARP" || !r.Local.IsValid():
			continue
		case r.Local.Is4():
			table = "IPv4"
		}
		pairs.add(conversation{table, r.Local.String(), r.Remote.String()}, r.Out.flow())
		pairs.add(conversation{table, r.Remote.String(), r.Local.String()}, r.In.flow())
	}
	for c, n := range pairs {
		if got, want := theirs[c], tsharkCounters(n); got != want {
			differences.add("%+v: %s, tshark %s", c, want, got)
		}
	}
	if len(pairs) < 1000 {
		t.Errorf("only %d pairs", len(pairs))
	}
	differences.report(t)
}

// TestConversationsAddUp: with --top, with a bound of 1,000 rows, and with both.
func TestConversationsAddUp(t *testing.T) {
	capture := mixCapture(t, 60_000, 8_000)
	for _, by := range []string{"conversation", "pair", "pair,port"} {
		for _, args := range [][]string{{"--top", "10"}, {"--max-flows", "1000"}, {"--max-flows", "1000", "--top", "5"}} {
			r := paired(t, append([]string{capture, "--by", by}, args...)...)
			if r.Total.Packets != 60_000 {
				t.Errorf("by %s %v: %d packets", by, args, r.Total.Packets)
			}
		}
	}
}
