package choose

import (
	"errors"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// placeField is a groupable field of the label place.
var placeField = flow.Fields.Register(flow.Field{Name: "test_place", Title: "Place", Help: "place", Kind: flow.Text, Role: flow.Label, Groupable: true})

// labels returns a process label, labels that need it, and a label for all traffic. The label app
// needs one that comes later in the alphabet.
func labels(by flow.Dims) (*Labels, map[string]*Label) {
	named := map[string]*Label{
		"app":       {Plugin: registry.Label{Fields: []flow.Field{{Name: "test_app"}}, Needs: []string{"container"}}},
		"container": {Plugin: registry.Label{Fills: []string{"container"}, Needs: []string{"process"}}},
		"place":     {Plugin: registry.Label{Fields: []flow.Field{{Name: "test_place"}}, Toggle: "place", Default: func(registry.Caps) bool { return true }}},
		"process": {Plugin: registry.Label{
			Fills: []string{"pid", "comm", "uid", "match"}, Toggle: "process", From: registry.CapLive, Lacks: "captures have no processes",
			Default: func(c registry.Caps) bool { return c.Has(registry.CapProcess) },
		}},
		"spare": {Plugin: registry.Label{Fields: []flow.Field{{Name: "test_spare"}}, Toggle: "spare"}},
	}
	l := &Labels{By: []flow.Dims{by}}
	for _, name := range []string{"app", "container", "place", "process", "spare"} {
		named[name].Name = name
		l.All = append(l.All, named[name])
	}
	return l, named
}

const (
	sees   = registry.CapLive | registry.CapProcess
	live   = registry.CapLive
	reader = registry.CapFile
)

// TestFor: For returns the right labels in the right order, and marks the grouped ones.
func TestFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		by   flow.Dims
		caps registry.Caps
		ask  func(*Labels, map[string]*Label)
		want string // names; grouped ones in brackets
	}{
		{"defaults of sockets", flow.DimSrc, sees, nil, "place process container app"},
		{"defaults of interfaces", flow.DimsFlow, live, nil, "place"},
		{"defaults of a capture", flow.DimSrc, reader, nil, "place"},
		{"the process off", flow.DimSrc, sees, func(_ *Labels, n map[string]*Label) { n["process"].Off = true }, "place"},
		{"the process on", flow.DimSrc, live, func(_ *Labels, n map[string]*Label) { n["process"].On = true }, "place process container app"},
		{"all off", flow.DimSrc, sees, func(_ *Labels, n map[string]*Label) { n["process"].Off, n["place"].Off = true, true }, ""},
		{"another on", flow.DimSrc, reader, func(_ *Labels, n map[string]*Label) { n["spare"].On = true }, "place spare"},
		{"by comm", flow.DimComm, live, nil, "place [process] container app"},
		{"by container", flow.DimContainer, live, nil, "place process [container] app"},
		{"by pid and flow", flow.DimsFlow | flow.DimComm, live, nil, "place [process] container app"},
		{"by place", placeField.Dim, reader, nil, "[place]"},
		{"by uid's order", flow.DimPID, live, func(l *Labels, _ map[string]*Label) { l.Sort = flow.Fields.Find("uid") }, "place [process] container app"},
		{"by a count's order", flow.DimSrc, live, func(l *Labels, _ map[string]*Label) { l.Sort = flow.Fields.Find("packets") }, "place"},
		{"not for this backend", flow.DimSrc, sees, func(_ *Labels, n map[string]*Label) {
			n["app"].Plugin.From, n["app"].Plugin.Lacks = registry.CapFile, "no capture"
		}, "place process container"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, named := labels(tt.by)
			if tt.ask != nil {
				tt.ask(l, named)
			}
			var got []string
			for _, label := range l.For(engine.Candidate{Backend: registry.Backend{Caps: tt.caps}}) {
				name := label.Name
				if label.Grouped && tt.by != flow.DimsFlow {
					name = "[" + name + "]"
				}
				got = append(got, name)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
		})
	}
}

// TestAsked: --by flow asks for no label. A toggle, --by and --sort ask for one.
func TestAsked(t *testing.T) {
	for _, tt := range []struct {
		by   flow.Dims
		ask  func(*Labels, map[string]*Label)
		want string
	}{
		{flow.DimsFlow, nil, ""},
		{flow.DimPID, nil, "process"},
		{flow.DimsFlow | placeField.Dim, nil, "place"},
		{flow.DimComm | flow.DimContainer, nil, "container process"},
		{flow.DimSrc, func(l *Labels, _ map[string]*Label) { l.Sort = flow.Fields.Find("match") }, "process"},
		{flow.DimSrc, func(_ *Labels, n map[string]*Label) { n["spare"].On = true }, "spare"},
	} {
		l, named := labels(tt.by)
		if tt.ask != nil {
			tt.ask(l, named)
		}
		var got []string
		for _, label := range l.Asked() {
			got = append(got, label.Name)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("by %v: %q, want %q", tt.by, s, tt.want)
		}
	}
}

// TestCheck: Check explains why a run cannot have a label.
func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		by   flow.Dims
		caps []registry.Caps
		ask  func(map[string]*Label)
		want string // error text; "": no error
	}{
		{"nothing asked", flow.DimsFlow, []registry.Caps{reader}, nil, ""},
		{"live", flow.DimComm, []registry.Caps{live}, nil, ""},
		{"one of several", flow.DimComm, []registry.Caps{reader, live}, nil, ""},
		{"a capture", flow.DimComm, []registry.Caps{reader}, nil, "backend b has no label process: captures have no processes"},
		{"what needs it, in a capture", flow.DimContainer, []registry.Caps{reader}, nil, "backend b has no label container: captures have no processes"},
		{"on, in a capture", flow.DimSrc, []registry.Caps{reader}, func(n map[string]*Label) { n["process"].On = true }, "backend b has no label process"},
		{"off and asked", flow.DimComm, []registry.Caps{live}, func(n map[string]*Label) { n["process"].Off = true }, "label process is asked for, and --process=false turns off label process"},
		{"off and needed", flow.DimContainer, []registry.Caps{live}, func(n map[string]*Label) { n["process"].Off = true }, "label container is asked for, and --process=false turns off label process"},
		{"off", flow.DimsFlow, []registry.Caps{live}, func(n map[string]*Label) { n["process"].Off = true }, ""},
		{"needs what is not there", placeField.Dim, []registry.Caps{live}, func(n map[string]*Label) { n["place"].Plugin.Needs = []string{"map"} }, "label place needs label map, which this program does not have"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, named := labels(tt.by)
			if tt.ask != nil {
				tt.ask(named)
			}
			var backends []*Backend
			for _, c := range tt.caps {
				backends = append(backends, &Backend{Name: "b", Plugin: registry.Backend{Caps: c}})
			}
			err := l.Check(backends)
			switch {
			case tt.want == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), tt.want):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
