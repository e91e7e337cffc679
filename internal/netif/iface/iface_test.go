package iface

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

func links() []link {
	l := func(i uint32, name string, up bool, alt ...string) link {
		return link{Interface: flow.Interface{Index: i, Name: name}, up: up, altNames: alt}
	}
	return []link{l(1, "lo", true), l(2, "eth0", true, "enp0s3"), l(3, "eth1", false), l(5, "veth1", true), l(6, "veth2", true), l(9, "we*rd", true)}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		specs, want string // separated by spaces
	}{
		{"eth0", "eth0"},
		{"enp0s3", "eth0"},
		{"eth1 lo", "eth1 lo"},
		{"lo eth0 lo enp0s3", "lo eth0"},
		{"any", "lo eth0 veth1 veth2 we*rd"},
		{"veth*", "veth1 veth2"},
		{"eth?", "eth0 eth1"},
		{"veth2 veth*", "veth2 veth1"},
		{"any !lo !we*rd", "eth0 veth1 veth2"},
		{"!veth*", "lo eth0 we*rd"},
		{"!lo !nosuch", "eth0 veth1 veth2 we*rd"},
		{"we*rd", "we*rd"},
		{"*[02]", "eth0 veth2"},
	} {
		got, err := match(links(), strings.Fields(tc.specs))
		if err != nil {
			t.Errorf("%s: %v", tc.specs, err)
			continue
		}
		if names := joined(selection(got...)); names != tc.want {
			t.Errorf("%s: %s, want %s", tc.specs, names, tc.want)
		}
	}
}

func joined(s Selection) string {
	var names []string
	for _, i := range s.Interfaces {
		names = append(names, i.Name)
	}
	return strings.Join(names, " ")
}

func TestNoMatch(t *testing.T) {
	for _, tc := range []struct {
		specs, want string
	}{
		{specs: "eth7", want: `interface "eth7" does not exist: there are eth0, eth1, lo, veth1, veth2, we*rd`},
		{specs: "lo eth7", want: `interface "eth7" does not exist`},
		{specs: "lo !l*", want: "no such interface: --iface lo --iface !l*: there are eth0,"},
		{specs: "veth[", want: "syntax error in pattern"},
		{specs: "!veth[", want: "syntax error in pattern"},
	} {
		got, err := match(links(), strings.Fields(tc.specs))
		if err == nil || !strings.Contains(err.Error(), tc.want) || !errors.Is(err, registry.ErrUsage) {
			t.Errorf("%s: %v, %v; want an error with %q", tc.specs, got, err, tc.want)
		}
	}
}

func TestWaiting(t *testing.T) {
	down := []link{{Interface: flow.Interface{Index: 1, Name: "lo"}}}
	for _, tc := range []struct {
		links             []link
		specs, now, later string
	}{
		{links(), "docker*", "", "docker*"},
		{links(), "docker* veth1 br?", "veth1", "docker* br?"},
		{links(), "veth* !veth*", "", ""},
		{links(), "any", "lo eth0 veth1 veth2 we*rd", ""},
		{down, "any", "", "any"},
		{down, "!docker0", "", "any"},
		{down, "l*", "lo", ""},
	} {
		specs := strings.Fields(tc.specs)
		got, err := match(tc.links, specs)
		if names := joined(selection(got...)); err != nil || names != tc.now {
			t.Errorf("%s: %s, %v, want %s", tc.specs, names, err, tc.now)
		}
		if later := strings.Join(waiting(tc.links, specs), " "); later != tc.later {
			t.Errorf("%s: waiting for %q, want %q", tc.specs, later, tc.later)
		}
	}
}

// TestFollow: which later interfaces match.
func TestFollow(t *testing.T) {
	for _, specs := range []string{"eth0", "lo eth0", "we*rd", "eth0 !docker0"} {
		if follow(links(), strings.Fields(specs)) != nil {
			t.Errorf("%s: Follow is not nil", specs)
		}
	}
	for _, tc := range []struct {
		specs  string
		link   registry.Link
		meant  bool
		reason string
	}{
		{"any", registry.Link{Name: "new0", Up: true}, true, "it is up"},
		{"any", registry.Link{Name: "new0"}, false, "it is down"},
		{"any !new0", registry.Link{Name: "new0", Up: true}, false, "it is excluded"},
		{"any !n*", registry.Link{Name: "new0", Up: true}, false, "it is excluded"},
		{"!docker0", registry.Link{Name: "new0", Up: true}, true, "only others are excluded"},
		{"!docker0", registry.Link{Name: "docker0", Up: true}, false, "it is excluded"},
		{"veth*", registry.Link{Name: "veth9"}, true, "patterns mean those that are down, too"},
		{"veth*", registry.Link{Name: "eth9", Up: true}, false, "it does not match"},
		{"veth*", registry.Link{Name: "x", AltNames: []string{"veth9"}}, true, "another name matches"},
		{"veth* !alt*", registry.Link{Name: "veth9", AltNames: []string{"alt9"}}, false, "another name is excluded"},
		{"lo veth*", registry.Link{Name: "lo", Up: true}, false, "names are not patterns"},
		{"veth* any !any", registry.Link{Name: "veth9", Up: true}, false, "all are excluded"},
	} {
		if got := follow(links(), strings.Fields(tc.specs))(tc.link); got != tc.meant {
			t.Errorf("%s and %+v: got %t, but %s", tc.specs, tc.link, got, tc.reason)
		}
	}
}

// TestResolve runs in a new network namespace.
func TestResolve(t *testing.T) {
	testenv.Privileged(t)
	h, peer := testnet.Pair(t, testnet.Link{})
	testnet.Connect(t, h.Host, peer.Host, testnet.Link{})
	second := "veth2a"

	resolve := func(specs ...string) (s Selection, err error) {
		err = h.Do(func() error { s, err = Resolve(specs); return err })
		return s, err
	}
	if _, err := resolve(); err == nil || !strings.Contains(err.Error(), "no default route and no eth0: name an interface with --iface: there are lo, veth1a, veth2a") {
		t.Errorf("no default route: %v", err)
	}
	s, err := resolve(Any)
	if err != nil || joined(s) != "lo "+h.Name+" "+second || s.Interfaces[0].Index == 0 || s.Down != nil {
		t.Errorf("any: %+v, %v", s, err)
	}

	link, err := h.Netlink().LinkByName(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if s, err = resolve("veth*"); err != nil || joined(s) != h.Name+" "+second || !slices.Equal(s.Down, []string{second}) {
		t.Errorf("one is down: %+v, %v", s, err)
	}
	if s, err = resolve(Any); err != nil || joined(s) != "lo "+h.Name {
		t.Errorf("any, and one is down: %+v, %v", s, err)
	}
	if err := h.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}

	// Routes are added from the least to the most preferred one. An unreachable route (in IPv6 on
	// lo) does not count.
	add := func(name, to string, priority, kind int) {
		t.Helper()
		l, err := h.Netlink().LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		_, dst, err := net.ParseCIDR(to)
		if err != nil {
			t.Fatal(err)
		}
		r := &netlink.Route{Dst: dst, Priority: priority, Type: kind}
		if kind == unix.RTN_UNICAST {
			r.LinkIndex, r.Scope = l.Attrs().Index, unix.RT_SCOPE_LINK
		}
		if err := h.Netlink().RouteAdd(r); err != nil {
			t.Fatalf("add route %v: %v", r, err)
		}
	}
	for _, step := range []struct {
		name, dst      string
		priority, kind int
	}{
		{h.Name, "::/0", 50, unix.RTN_UNICAST},
		{h.Name, "::/0", 1, unix.RTN_UNREACHABLE},
		{second, "::/0", 20, unix.RTN_UNICAST},
		{h.Name, "0.0.0.0/0", 300, unix.RTN_UNICAST},
		{second, "0.0.0.0/0", 200, unix.RTN_UNICAST},
		{second, "0.0.0.0/0", 1, unix.RTN_UNREACHABLE},
	} {
		add(step.name, step.dst, step.priority, step.kind)
		if s, err := resolve(); err != nil || joined(s) != step.name {
			t.Errorf("after a route %v: %s, %v", step, joined(s), err)
		}
	}
}

// TestFallback: without a default route Resolve selects eth0, the most common name.
func TestFallback(t *testing.T) {
	none := func(int) ([]netlink.Route, error) { return nil, nil }
	if l, err := byDefault(links(), none); err != nil || l.Name != "eth0" {
		t.Errorf("%v, %v", l, err)
	}
	multi := func(int) ([]netlink.Route, error) {
		return []netlink.Route{{MultiPath: []*netlink.NexthopInfo{{LinkIndex: 5}, {LinkIndex: 6}}}}, nil
	}
	if l, err := byDefault(links(), multi); err != nil || l.Name != "veth1" {
		t.Errorf("a route of several hops: %v, %v", l, err)
	}
}
