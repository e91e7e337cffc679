package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRegister(t *testing.T) {
	r := New[int]("backend")
	for i, n := range []string{"tc", "afpacket", "xdp2"} {
		r.Register(n, i)
	}
	var names []string
	for n := range r.All() {
		names = append(names, n)
	}
	if !slices.Equal(names, []string{"afpacket", "tc", "xdp2"}) {
		t.Errorf("All() gives %v", names)
	}
	if v, err := r.Lookup("xdp2"); v != 2 || err != nil {
		t.Errorf("Lookup: %v, %v", v, err)
	}
	_, err := r.Lookup("nope")
	if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), `unknown backend "nope": there are afpacket, tc, xdp2`) {
		t.Errorf("Lookup of an unknown name: %v", err)
	}
}

func TestRegisterPanics(t *testing.T) {
	for _, bad := range []string{"", "TC", "a-b", "a_b", "1x", "tc"} {
		t.Run(bad, func(t *testing.T) {
			r := New[int]("backend")
			r.Register("tc", 1)
			defer func() {
				if recover() == nil {
					t.Errorf("%q was registered", bad)
				}
			}()
			r.Register(bad, 2)
		})
	}
}

func TestCapsError(t *testing.T) {
	cause := errors.New("bpf: operation not permitted")
	err := NeedCaps(cause, "cap_bpf", "cap_net_admin")
	if !errors.Is(err, ErrPermission) || !errors.Is(err, cause) {
		t.Errorf("%v is not what it wraps", err)
	}
	if got := err.Error(); got != "needs root or cap_bpf,cap_net_admin: bpf: operation not permitted" {
		t.Error(got)
	}
	var ce *CapsError
	if !errors.As(err, &ce) || len(ce.Caps) != 2 {
		t.Error("the capabilities cannot be read back")
	}
	if err := NeedCaps(nil, "cap_bpf"); !errors.Is(err, ErrPermission) || err.Error() != "needs root or cap_bpf" {
		t.Error(err)
	}
}

func TestCapsStrings(t *testing.T) {
	c := CapIngress | CapCgroup
	if got := strings.Join(c.Strings(), " "); got != "ingress cgroup" {
		t.Error(got)
	}
	if !c.Has(CapIngress) || c.Has(CapIngress|CapEgress) {
		t.Error("Has")
	}
}
