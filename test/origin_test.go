package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is the host name, the kernel and the version of pktstat in reports.
type machine struct{ host, kernel, version string }

func thisMachine(t *testing.T) machine {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return machine{
		host: unix.ByteSliceToString(u.Nodename[:]), kernel: unix.ByteSliceToString(u.Release[:]),
		version: strings.Fields(run(t, "--version"))[1],
	}
}

// neutral replaces the machine's names in reports, so that documents are the same everywhere.
func (m machine) neutral(text string) string {
	const host, kernel, version = "web-3", "6.12.0", "v1.0.0"
	pairs := []string{
		m.host + ", Linux " + m.kernel + ", pktstat " + m.version, host + ", Linux " + kernel + ", pktstat " + version,
		"host=" + m.host + " kernel=" + m.kernel + " version=" + m.version, "host=" + host + " kernel=" + kernel + " version=" + version,
	}
	for _, p := range [][3]string{{"host", m.host, host}, {"kernel", m.kernel, kernel}, {"version", m.version, version}} {
		for _, colon := range []string{`":"`, `": "`} {
			pairs = append(pairs, `"`+p[0]+colon+p[1]+`"`, `"`+p[0]+colon+p[2]+`"`)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// originReport is what a report contains about the run.
type originReport struct {
	Final                       bool
	Host, Kernel, Version, Note string
	Args                        []string
	Source                      map[string][]string
	RowCount                    int `json:"row_count"`
}

// TestOrigin: a saved report names its host, kernel, version and command line.
func TestOrigin(t *testing.T) {
	const file = "testdata/mix.pcap"
	m, dir := thisMachine(t), t.TempDir()
	args := []string{"--pcap-file", filepath.Join(root, file), "--by", "src", "--note", "before it's changed", "-r", "2s"}
	names := []string{"json", "ndjson", "table", "plain"}
	for _, name := range names {
		args = append(args, "--output", name+"="+filepath.Join(dir, name))
	}
	run(t, args...)
	saved := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		saved[name] = string(text)
	}

	check := func(r originReport, all bool) {
		t.Helper()
		if r.Host != m.host || !slices.Equal(r.Source["files"], args[1:2]) || len(r.Source) != 1 {
			t.Errorf("%+v, want host %s", r, m.host)
		}
		if complete := r.Kernel == m.kernel && r.Version == m.version && slices.Equal(r.Args, args) && r.Note == args[5]; complete != all {
			t.Errorf("%+v is complete: %t, want %t (%+v)", r, complete, all, m)
		}
	}
	var r originReport
	if err := json.Unmarshal([]byte(saved["json"]), &r); err != nil {
		t.Fatal(err)
	}
	check(r, true)
	if r.RowCount != 29 {
		t.Errorf("row_count %d, want 29", r.RowCount)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(saved["ndjson"], "\n"), "\n")
	for i, line := range lines {
		var r originReport
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		check(r, i == 0 || r.Final)
	}
	for output, want := range map[string][]string{
		"table": {"before it's changed\n" + args[1] + " by pcap (file)\n", "; by src; ", m.host + ", Linux " + m.kernel + ", pktstat " + m.version + ": pktstat --pcap-file ", "total (29 sources) "},
		"plain": {"\norigin host=" + m.host + " kernel=" + m.kernel + " version=" + m.version + " files=" + args[1] + " by=src "},
	} {
		for _, w := range want {
			if !strings.Contains(saved[output], w) {
				t.Errorf("%s does not have %q:\n%s", output, w, saved[output])
			}
		}
	}
}
