package cmd

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// TestFieldsJSON: the listing has each field of the table once, in order.
func TestFieldsJSON(t *testing.T) {
	b := newBench(t)
	if code := b.run(t.Context(), "fields", "--json"); code != 0 {
		t.Fatalf("exit code %d: %s", code, b.stderr.String())
	}
	var got []listedField
	if err := json.Unmarshal([]byte(b.stdout.String()), &got); err != nil {
		t.Fatal(err)
	}
	all := flow.Fields.All()
	if len(got) != len(all) {
		t.Fatalf("%d fields, want %d", len(got), len(all))
	}
	for i, f := range all {
		l := got[i]
		if l.Name != f.Name || !slices.Equal(l.Aliases, f.Aliases) || l.Title != f.Title || l.Help != f.Help || l.IPFIX != f.IPFIX ||
			l.Kind != f.Kind.String() || l.Role != f.Role.String() {
			t.Errorf("%+v of the field %+v", l, f)
		}
		if _, err := flow.ParseDims(f.Name); l.By != (err == nil) {
			t.Errorf("--by takes %s: %t, %v", f.Name, l.By, err)
		}
	}
}

// TestFieldsText: the text has a line for each field, in columns, and no control characters.
func TestFieldsText(t *testing.T) {
	l := fieldList{width: 70, fields: []listedField{
		{Name: "a", Title: "A", Kind: "text", Role: "label", Help: "first \x1b[2J thing that a plugin of somebody has called like this"},
		{Name: "longer_name", Aliases: []string{"x", "y"}, Title: "B", Kind: "uint", Role: "measure", IPFIX: 65535, By: true, Help: "second"},
	}}
	want := `NAME         KIND         ROLE       IPFIX  BY   WHAT IT IS
a            text         label                  A: first \x1b[2J
                                                 thing that a plugin
                                                 of somebody has
                                                 called like this
longer_name  uint         measure    65535  yes  B: second; also x, y
`
	if got := l.text(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, f := range flow.Fields.All() {
		if lines := strings.Count((&session{App: &newBench(t).App}).listFields(nil).text(), "\n"+f.Name+" "); lines != 1 {
			t.Errorf("%d lines of %s", lines, f.Name)
		}
	}
}
