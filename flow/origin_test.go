package flow

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestCommandLine: a shell parses the printed command line to the same arguments.
func TestCommandLine(t *testing.T) {
	args := []string{"-i", "eth0", "--by=src,dst", "it's", "", "a b", "$(id)", `back\slash`, "*", "!x", "~", "\x1b[2J", "new\nline", "'", "ä", "#"}
	o := Origin{Args: args}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `pktstat() { printf '%s\0' "$@"; }; `+o.CommandLine()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, args) {
		t.Errorf("%s is read as %q, want %q", o.CommandLine(), got, args)
	}
	plain := Origin{Args: []string{"-i", "eth0", "--output", "json=/tmp/a_b.json,pretty"}}
	if got, want := plain.CommandLine(), "pktstat -i eth0 --output json=/tmp/a_b.json,pretty"; got != want {
		t.Errorf("command line %s, want %s", got, want)
	}
}

// TestSource: the source of a capture is its file, even if the capture names interfaces.
func TestSource(t *testing.T) {
	on := []Interface{{1, "eth0"}, {2, "wg0"}}
	for _, c := range []struct {
		r     Report
		kind  SourceKind
		names []string
	}{
		{Report{}, SourceAll, nil},
		{Report{Interfaces: on}, SourceInterfaces, []string{"eth0", "wg0"}},
		{Report{Interfaces: on, Files: []string{"a.pcapng"}}, SourceFiles, []string{"a.pcapng"}},
		{Report{Cgroups: []string{"/system.slice"}}, SourceCgroups, []string{"/system.slice"}},
	} {
		if kind, names := c.r.Source(); kind != c.kind || !slices.Equal(names, c.names) {
			t.Errorf("source %q %q, want %q %q", kind, names, c.kind, c.names)
		}
	}
}

// TestNouns: the name of a row follows from its dimensions.
func TestNouns(t *testing.T) {
	for by, want := range map[string]string{
		"flow": "flow flows", "flow,comm": "flow flows", "src": "source sources", "dst_port": "destination port destination ports",
		"proto": "protocol protocols", "pid": "process processes", "comm": "process name process names",
		"pid,comm": "process processes", // the PID determines the name
		"src,dst":  "row rows", "vlan": "VLAN VLANs", "cgroup": "cgroup cgroups", "iface": "interface interfaces",
	} {
		d, err := ParseDims(by)
		if err != nil {
			t.Fatal(err)
		}
		if one, many := d.Nouns(); one+" "+many != want {
			t.Errorf("--by %s: %s %s, want %s", by, one, many, want)
		}
	}
	for one, want := range map[string]string{"country": "countries", "key": "keys", "box": "boxes", "match": "matches", "address": "addresses"} {
		if got := plural(one); got != want {
			t.Errorf("%s: %s, want %s", one, got, want)
		}
	}
	for _, f := range Fields.All() {
		if f.Dim&DimsAll != 0 && f.Noun == "" {
			t.Errorf("rows by %s have no name", f.Name)
		}
	}
}

// TestBeside: tables show bytes only next to rates of the same layer.
func TestBeside(t *testing.T) {
	for _, c := range []struct {
		field string
		rates Layer
		want  bool
	}{
		{"bytes", LayerIP, true}, {"bytes", LayerFrame, false}, {"bytes", 0, true},
		{"frame_bytes", LayerFrame, true}, {"frame_bytes", LayerIP, false}, {"frame_bytes", 0, false},
		{"packets", LayerIP, true}, {"packets", LayerFrame, true}, {"src", LayerFrame, true},
	} {
		if got := Fields.Find(c.field).Beside(c.rates); got != c.want {
			t.Errorf("%s beside rates of layer %q: %t", c.field, c.rates, got)
		}
	}
}
