package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// extra are fields that no document has. They are not registered.
var extra = []*flow.Field{
	{Name: "port_class", Title: "Port class", Help: "range | of the port", Kind: flow.Word, By: flow.DimSrcPort},
	{Name: "doubled", Aliases: []string{"twice"}, Title: "Doubled", Help: "packets, each counted twice", Role: flow.Measure},
	{Name: "mood", Title: "Mood", Help: "what packets have in common", Role: flow.Mark, Kind: flow.Flags, IPFIX: 999, Known: func(*flow.Row) bool { return false }},
	{Name: "realm", Title: "Realm", Help: "where the source is", Role: flow.Label, Kind: flow.Text, By: flow.DimSrc | 1<<40, Dim: 1 << 40},
}

// TestFieldsOfPlugins: the documents have a new field without a change of this command.
func TestFieldsOfPlugins(t *testing.T) {
	all := slices.Concat(flow.Fields.All(), extra)
	text := fields(all)
	for _, line := range []string{
		"| `port_class` | Port class | word | dimension |  |  | range \\| of the port |",
		"| `doubled` (`twice`) | Doubled | uint | measure |  |  | packets, each counted twice |",
		"| `mood` | Mood | flags | mark | 999 |  | what packets have in common |",
		"| `realm` | Realm | text | label |  | yes | where the source is |",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("docs/fields.md has no line %s", line)
		}
	}
	s := readSchema(t, all)
	for place, want := range map[string]string{
		"row": "port_class doubled mood realm", "sum": "doubled", "lost": "doubled", "link": "doubled",
	} {
		var got []string
		for _, f := range extra {
			if s.Defs[place].Properties[f.Name] != nil {
				got = append(got, f.Name)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s has the extra fields %s, want %s", place, text, want)
		}
	}
	if by := fmt.Sprint(s.Properties["by"]); !strings.Contains(by, " realm]") || strings.Contains(by, "port_class") {
		t.Errorf("by allows %s", by)
	}
	if sorts := fmt.Sprint(s.Properties["sort"]); !strings.Contains(sorts, "doubled") || !strings.Contains(sorts, "port_class") {
		t.Errorf("sort allows %s", sorts)
	}
}

// TestOneTable: the schema's rows and CSV have the fields of the table, and no others.
func TestOneTable(t *testing.T) {
	want := flow.Fields.Names(func(f *flow.Field) bool { return !f.Derived })
	header, _, _ := strings.Cut(string(sinktest.Render(t, "csv", sinktest.Variant{}, sinktest.Goldens()[0].Reports...)), "\n")
	columns := slices.DeleteFunc(strings.Split(header, ","), func(c string) bool { return c == "row" || c == "bytes_unknown" })
	if !slices.Equal(columns, want) {
		t.Errorf("CSV has %q, want %q", columns, want)
	}
	row := readSchema(t, flow.Fields.All()).Defs["row"].Properties
	for _, f := range flow.Fields.All() {
		if f.Derived {
			continue
		}
		in, name := row, f.Name
		if f.Object != "" {
			object, _ := row[f.Object].(map[string]any)
			in, _ = object["properties"].(map[string]any)
			name = f.Member
		}
		if in[name] == nil {
			t.Errorf("the schema of rows has no %s", f.Name)
		}
		delete(in, name)
	}
	for name, property := range row {
		if object, _ := property.(map[string]any); object["properties"] == nil {
			t.Errorf("the schema of rows has more: %s", name)
		} else if left, _ := object["properties"].(map[string]any); len(left) != 0 {
			t.Errorf("the schema's object %s has more: %v", name, left)
		}
	}
}

// schemaText is the parts of a schema that contain names of fields.
type schemaText struct {
	Properties map[string]any
	Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
}

func readSchema(t *testing.T, all []*flow.Field) (s schemaText) {
	t.Helper()
	text, err := schema(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
