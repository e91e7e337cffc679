package flow

import "testing"

// TestParseGroupings: what --by takes for several fields, and which of them exclude others.
func TestParseGroupings(t *testing.T) {
	for _, tc := range []struct {
		by   string
		want Dims
		text string // that it is written as; "": as by
		one  string // what a row is
	}{
		{"flow", DimsFlow, "", "flow"},
		{"conversation", DimsConversation, "", "conversation"},
		{"conv", DimsConversation, "conversation", "conversation"},
		{"conv,comm", DimsConversation | DimComm, "conversation,comm", "conversation"},
		{"conv,pid", DimsConversation, "conversation", "conversation"},
		{"pair", DimEnds, "", "pair"},
		{"pair,port", DimEnds | DimService, "", "row"},
		{"proto,port", DimProto | DimService, "", "row"},
		{"host", DimHost, "", "host"},
		{"host,port", DimHost | DimService, "", "row"},
		{"src,port", DimSrc | DimService, "", "row"},
	} {
		d, err := ParseDims(tc.by)
		if tc.text != "" && d.String() != tc.text {
			t.Errorf("%s: %s, want %s", tc.by, d, tc.text)
		}
		if one, _ := d.Nouns(); err != nil || d != tc.want || one != tc.one {
			t.Errorf("--by %s: %b of %q, %v; want %b of %q", tc.by, d, one, err, tc.want, tc.one)
		}
	}
	for by, want := range map[string]string{
		"conversation,src":      "rows cannot be grouped by conversation and by src",
		"pair,direction":        "rows cannot be grouped by pair and by direction",
		"host,dst":              "rows cannot be grouped by host and by dst",
		"port,src_port":         "rows cannot be grouped by port and by src_port",
		"pair,host":             "rows cannot be grouped by pair and by host",
		"conversation,port":     "rows cannot be grouped by conversation and by port",
		"flow,conversation":     "rows cannot be grouped by conversation and by flow",
		"conversation,dst_port": "rows cannot be grouped by conversation and by dst_port",
	} {
		if _, err := ParseDims(by); err == nil || err.Error() != want {
			t.Errorf("--by %s: %v, want %s", by, err, want)
		}
	}
}

// TestProjectionOfEnds: both directions of a flow have one key, and a projection that is
// applied twice changes nothing more.
func TestProjectionOfEnds(t *testing.T) {
	there := Pack(Key{Proto: TCP, Src: ap("192.0.2.9:50000"), Dst: ap("192.0.2.1:443"), Dir: Egress, Ifindex: 3, VLAN: 5})
	back := Pack(Key{Proto: TCP, Src: ap("192.0.2.1:443"), Dst: ap("192.0.2.9:50000"), Dir: Ingress, Ifindex: 3, VLAN: 5})
	self := Pack(Key{Proto: UDP, Src: ap("127.0.0.1:2000"), Dst: ap("127.0.0.1:1000"), Dir: Ingress})
	for _, d := range []Dims{DimsConversation, DimEnds, DimEnds | DimService, DimService, DimsConversation | DimComm} {
		pr := d.Projection()
		a, b, c := there, back, self
		first, second := pr.Apply(&a), pr.Apply(&b)
		pr.Apply(&c)
		if a != b || d.Paired() && first == second {
			t.Errorf("by %s: %+v and %+v, exchanged %t and %t", d, a, b, first, second)
		}
		again := a
		if pr.Apply(&again) || again != a {
			t.Errorf("by %s: applied twice: %+v, then %+v", d, a, again)
		}
		if k := a.Key(); d.Has(DimService) && k.Src.Port() != 443 {
			t.Errorf("by %s: port %d, want 443", d, k.Src.Port())
		}
	}
	pr := DimsConversation.Projection()
	pr.Apply(&self)
	if k := self.Key(); k.Src != ap("127.0.0.1:1000") || k.Dst != ap("127.0.0.1:2000") {
		t.Errorf("within one address: %+v", k)
	}
}
