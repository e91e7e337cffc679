package bench

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

func TestParsePeer(t *testing.T) {
	got, err := ParsePeer("name=x,obj=a/b.o,prog=count,hook=xdp,maps=m1:flows,m2:clear,m3:clear")
	want := Peer{
		Name: "x", Object: "a/b.o", Func: "count", Hook: HookXDP,
		Maps: []PeerMap{{"m1", true}, {"m2", false}, {"m3", false}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for s, want := range map[string]string{
		"":                                      "is not an option",
		"name=x":                                "want name=",
		"name=x,obj=o,prog=p":                   `unknown hook ""`,
		"name=x,obj=o,prog=p,hook=tcx":          `unknown hook "tcx"`,
		"name=x,obj=o,prog=p,hook=tc,maps=m":    "has no role",
		"name=x,obj=o,prog=p,hook=tc,maps=m:x":  "has no role",
		"name=x,obj=o,prog=p,hook=tc,color=red": `unknown option "color"`,
		"name=x,stray,obj=o,prog=p,hook=tc":     `"stray" is not an option`,
		"name=floor,obj=o,prog=p,hook=tc":       "is taken",
	} {
		if _, err := ParsePeer(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

// TestPeer measures a program that keeps its flows in hash maps of the kernel.
func TestPeer(t *testing.T) {
	testenv.Privileged(t)
	p, err := ParsePeer("name=hash,obj=hash_bpfel.o,prog=hash_tc,hook=tc,maps=flows:flows,seen:clear")
	if err != nil {
		t.Fatal(err)
	}
	scale := Quick()
	scale.FloodPackets = 600_000 // more than the peer's map holds
	c := Config{
		Root: root, Hooks: []Hook{HookTC}, Scale: scale, Peers: []Peer{p},
		Experiments: []string{"flood", "report"}, Progress: t.Logf,
	}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, f := range r.Floods {
		// An LRU map evicts flows without reporting it.
		if f.Program == p.Name && (f.UnaccountedPackets < int64(f.Packets)/2 || f.UnaccountedBytes != 50*f.UnaccountedPackets) {
			t.Errorf("%+v", f)
		}
	}
	if want := 4; len(r.Floods) != want { // two programs, IPv4 and IPv6
		t.Errorf("%d floods, want %d", len(r.Floods), want)
	}
	for i := range r.Groups {
		if g := &r.Groups[i]; len(g.Rounds(p.Name)) != c.Scale.Rounds {
			t.Errorf("%+v: %d rounds", g.Case, len(g.Rounds(p.Name)))
		}
	}
}

// TestPeerRead: a peer's maps are read completely, emptied, and enlarged as requested.
func TestPeerRead(t *testing.T) {
	testenv.Privileged(t)
	const flows = 1 << 18
	p := Peer{Name: "hash", Object: "hash_bpfel.o", Func: "hash_tc", Hook: HookTC, Maps: []PeerMap{{"flows", true}, {"seen", false}}}
	prog, err := peer{p}.load(loadOptions{hook: HookTC, flows: flows, fit: true})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.close()
	seq, err := newSequence(flows)
	if err != nil {
		t.Fatal(err)
	}
	defer seq.close()
	seq.uniform(flows, (&runner{}).random())
	if err := prog.drive(traffic{sequence: seq}); err != nil {
		t.Fatal(err)
	}
	th, err := pin(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := th.unpin(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		if _, err := th.drive(t.Context(), prog, udp4.frame(64), 0, 2*flows); err != nil {
			t.Fatal(err)
		}
		got, err := prog.tally()
		if err != nil || got.packets != 2*flows || got.bytes != 2*flows*50 || len(got.flows) != flows {
			t.Errorf("%d packets, %d bytes, %d flows, %v", got.packets, got.bytes, len(got.flows), err)
		}
		if n, err := prog.newReporter(flows, 0).report(); n != flows || err != nil {
			t.Errorf("a report of %d flows, %v", n, err)
		}
		if err := prog.clear(); err != nil {
			t.Fatal(err)
		}
	}
}
