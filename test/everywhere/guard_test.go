package everywhere

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

// withKinds runs pktstat with a field of every role and kind.
func withKinds(t *testing.T, args ...string) string {
	t.Helper()
	c := command(t, args...)
	c.Env = append(c.Env, allKinds+"=1")
	return output(t, c)
}

// countKinds counts the capture with a field of every role and kind.
func countKinds(t *testing.T, output string) string {
	t.Helper()
	return withKinds(t, "--pcap-file", capture, "--top", "3", "--by", "flow", "--output", output)
}

// listed is a field in `pktstat fields --json`.
type listed struct {
	Name, Title, Kind, Role, Help string
	Aliases                       []string
	By                            bool
}

func list(t *testing.T, text string) (fields []listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// written returns the fields of [allKinds] and all others that outputs for programs write, in
// order.
func written(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range list(t, withKinds(t, "fields", "--json")) {
		if known := flow.Fields.Find(f.Name); known == nil || !known.Derived {
			names = append(names, f.Name)
		}
	}
	for _, name := range append(slices.Collect(maps.Keys(kinds)), rates...) {
		if !slices.Contains(names, name) {
			t.Errorf("`pktstat fields` does not list %s", name)
		}
	}
	return names
}

// TestKindsInCSV: an output needs no code for a field of any role and kind. CSV has a column for
// each field of the table, and no other.
func TestKindsInCSV(t *testing.T) {
	header, lines := readCSV(t, countKinds(t, "csv"))
	own := []string{"row", "bytes_unknown"}
	header = slices.DeleteFunc(header, func(name string) bool { return slices.Contains(own, name) })
	if want := written(t); !slices.Equal(header, want) {
		t.Errorf("columns %q, want %q", header, want)
	}
	for name, value := range kinds {
		if got := lines[0][name]; got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	for _, l := range lines {
		if l["sum_uint"] != "77" || l["rate_packets"] == "" || l["rate_bits"] == "" {
			t.Errorf("line %v", l)
		}
	}
}

func TestKindsInJSON(t *testing.T) {
	order := written(t)
	for _, format := range []string{"json", "ndjson"} {
		var r struct {
			Total, Rest, Overflow, Lost map[string]any
			Flows                       []json.RawMessage
		}
		lines := strings.Split(strings.TrimSpace(countKinds(t, format)), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
			t.Fatal(err)
		}
		for _, text := range r.Flows {
			row, names := object(t, text)
			for name, value := range kinds {
				if got := fmt.Sprint(row[name]); got != value {
					t.Errorf("%s: %s is %s, want %s", format, name, got, value)
				}
			}
			if row["rate_bits"] == nil || row["rate_packets"] == nil {
				t.Errorf("%s: row %s without rates", format, text)
			}
			place := func(name string) int { return slices.Index(order, name) }
			if !slices.IsSortedFunc(names, func(a, b string) int { return place(a) - place(b) }) || place(names[0]) < 0 {
				t.Errorf("%s: the order is %q", format, names)
			}
		}
		for _, s := range []map[string]any{r.Total, r.Rest, r.Overflow, r.Lost} {
			if s["sum_uint"] != 77. || s["sum_bytes"] != 4096. {
				t.Errorf("%s: sum %v", format, s)
			}
		}
	}
}

// object returns a JSON object's values, and its names in order.
func object(t *testing.T, text []byte) (values map[string]any, names []string) {
	t.Helper()
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for d, name := json.NewDecoder(strings.NewReader(string(text))), true; ; name = !name {
		switch token, err := d.Token(); {
		case err != nil:
			return values, names
		case token == json.Delim('{') || token == json.Delim('}'): // rows contain no objects
			name = false
		case name:
			names = append(names, fmt.Sprint(token))
		}
	}
}

func TestKindsInPlain(t *testing.T) {
	lines := strings.Split(countKinds(t, "plain"), "\n")
	for name, value := range kinds {
		value = strings.ReplaceAll(value, " ", `\x20`)
		if name != "at" && !strings.Contains(lines[0]+" ", " "+name+"="+value+" ") { // times need columns=
			t.Errorf("no %s=%s in %q", name, value, lines[0])
		}
	}
	for _, line := range lines[:7] {
		if strings.HasPrefix(line, "origin ") || strings.HasPrefix(line, "command ") {
			continue
		}
		if !strings.Contains(line+" ", " sum_uint=77 sum_bytes=4096 ") {
			t.Errorf("no measures in %q", line)
		}
	}
	if line := countKinds(t, "plain=-,columns=at+mark_word"); !strings.HasPrefix(line, "at=2026-01-02T03:04:05Z mark_word=marked\n") {
		t.Errorf("chosen columns: %q", line)
	}
}

func TestKindsInTable(t *testing.T) {
	out := countKinds(t, "table")
	columns := titles(out)
	for name := range kinds {
		if name != "at" && !slices.Contains(columns, "Title of "+name) { // times need columns=
			t.Errorf("no column of %s in %q", name, columns)
		}
	}
	for _, name := range rates {
		if !slices.Contains(columns, "Title of "+name) {
			t.Errorf("no column of %s in %q", name, columns)
		}
	}
	// columns= accepts all names of the table of fields.
	for _, name := range written(t) {
		if got := titles(countKinds(t, "table=-,columns="+name)); len(got) != 1 && name != "packets" {
			t.Errorf("columns=%s has the columns %q", name, got)
		}
	}
}

// TestEveryFieldIsWritten: the shared reports have every registered field, and JSON writes each.
func TestEveryFieldIsWritten(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range sinktest.Goldens() {
		for _, r := range g.Reports {
			label(r)
			var report struct{ Flows []map[string]any }
			if err := json.Unmarshal(sinktest.Render(t, "ndjson", sinktest.Variant{}, r), &report); err != nil {
				t.Fatal(err)
			}
			for _, row := range report.Flows {
				for name, value := range row {
					seen[name] = true
					if object, ok := value.(map[string]any); ok {
						delete(seen, name)
						for member := range object {
							seen[name+"_"+member] = true
						}
					}
				}
			}
		}
	}
	want := flow.Fields.Names(func(f *flow.Field) bool { return !f.Derived })
	for _, name := range want {
		if !seen[name] {
			t.Errorf("no row has %s", name)
		}
		delete(seen, name)
	}
	if len(seen) != 0 {
		t.Errorf("rows have %v, which is not in the table of fields", seen)
	}
}

// label sets all labels in a report's owners, and groups its rows by labels that no other rows
// have.
func label(r *flow.Report) {
	for _, f := range flow.Fields.All() {
		if f.Groupable && f.By == f.Dim {
			r.Dims |= f.Dim
		}
	}
	for id, o := range r.Owners {
		for _, f := range flow.Fields.All() {
			if f.Role == flow.Label && f.Kind == flow.Text && f.Text(&flow.Row{Owner: o}) == "" {
				o.SetLabel(f, termsafe.String(f.Title))
			}
		}
		r.Owners[id] = o
	}
	r.Label = labelRows
}

// labelRows sets the values that labels add to rows only.
func labelRows(rows []*flow.Row) {
	for _, l := range registry.Labels.All() {
		for i := range l.Fields {
			f := flow.Fields.Find(l.Fields[i].Name)
			for _, r := range rows {
				switch f.Kind {
				case flow.Word:
					r.Owner.SetLabel(f, f.Name)
				case flow.Uint, flow.Bytes, flow.Duration:
					r.SetNumber(f, 1)
				}
			}
		}
	}
}
