package reportjson

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

const root = "../../.."

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join(root, "docs", "pktstat.report.v1.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestJSONSchema: the reports of the golden tests match the schema. So do those in the golden files
// of json and ndjson.
func TestJSONSchema(t *testing.T) {
	s := compileSchema(t)
	for _, g := range sinktest.Goldens() {
		for i, r := range g.Reports {
			text := encode(t, r)
			if err := validate(s, text); err != nil {
				t.Errorf("%s %d: %v in\n%s", g.Name, i, err, text)
			}
			var head map[string]json.RawMessage
			decode(t, text, &head)
			for name := range head {
				if s.Properties[name] == nil {
					t.Errorf("%s %d: the schema does not have %s", g.Name, i, name)
				}
			}
		}
	}
	reports := 0
	for _, output := range []string{"json", "ndjson"} {
		files, err := filepath.Glob(filepath.Join(root, "outputs", output, "testdata", "*.golden"))
		if err != nil || len(files) < len(sinktest.Goldens()) {
			t.Fatalf("%d golden files of %s, %v", len(files), output, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(bytes.NewReader(text))
			for d.More() {
				var report json.RawMessage
				if err := d.Decode(&report); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				if err := validate(s, report); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				reports++
			}
		}
	}
	if reports < 2*len(sinktest.Goldens()) {
		t.Errorf("only %d reports in golden files", reports)
	}
}

// TestJSONSchemaSort: the schema allows every field in "sort" and "by".
func TestJSONSchemaSort(t *testing.T) {
	s := compileSchema(t)
	for _, f := range flow.Fields.All() {
		if f.Derived {
			continue
		}
		r := &flow.Report{Backend: "tc", Dims: f.Dim | flow.DimSrc, Sort: f.Name}
		text := encode(t, r)
		if err := validate(s, text); err != nil {
			t.Errorf("%s: %v in %s", f.Name, err, text)
		}
		var got jsonReport
		decode(t, text, &got)
		if want := strings.TrimPrefix(f.Name, "bps"); got.Sort != want {
			t.Errorf("sort is %q, want %q", got.Sort, want)
		}
	}
}

// TestJSONSchemaRefuses: the schema refuses invalid reports.
func TestJSONSchemaRefuses(t *testing.T) {
	s := compileSchema(t)
	var mixed, sums []byte
	for _, g := range sinktest.Goldens() {
		switch text := encode(t, g.Reports[len(g.Reports)-1]); g.Name {
		case "mixed":
			mixed = text
		case "sums":
			sums = text
		}
	}
	for _, c := range []struct {
		text     []byte
		old, new string
	}{
		{mixed, `"src":`, `"source":`},
		{mixed, `"src_port":443`, `"src_port":-443`},
		{mixed, `"src_port":443`, `"src_port":"443"`},
		{mixed, `"src_port":443`, `"src_port":44.3`},
		{mixed, `"src":"192.0.2.1"`, `"src":5`},
		{mixed, `"gre_proto":"0x0800"`, `"gre_proto":"0x800"`},
		{mixed, `"gre_proto":"0x0800"`, `"gre_proto":2048`},
		{mixed, `"bps":`, `"rate":`},
		{mixed, `"pps":`, `"pps":-`},
		{mixed, `"first":"`, `"first":"on `},
		{mixed, `"proto":"TCP"`, `"proto":6`},
		{mixed, `"flow_count":`, `"flows_count":`},
		{mixed, `"rate_layer":"frame"`, `"rate_layer":"bits"`},
		{mixed, `pktstat.report/v1`, `pktstat.report/v2`},
		{sums, `"rest":{`, `"rest":{"bps":1,`},
		{sums, `"lost":{"packets":`, `"lost":{"frames":`},
	} {
		bad := bytes.Replace(c.text, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(bad, c.text) {
			t.Errorf("the report has no %s to replace", c.old)
		}
		if err := validate(s, bad); err == nil {
			t.Errorf("the schema accepts %s instead of %s", c.new, c.old)
		}
	}
}
