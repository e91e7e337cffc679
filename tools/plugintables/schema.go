package main

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/reportjson"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// schema returns the JSON Schema of reports whose rows have these fields.
func schema(all []*flow.Field) ([]byte, error) {
	head, required := headFields(all)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$comment", "Made by tools/plugintables from the table of fields in package flow: run make generate."},
		{"title", reportjson.Schema},
		{"description", "A report of pktstat. Fields may be added to it; a field never changes its meaning. A field that does not apply is absent."},
		{"type", "object"},
		{"required", required},
		{"properties", head},
		{"$defs", object{
			{"sum", closed(sumFields(all))},
			{"lost", closed(lostFields(all))},
			{"link", closed(linkFields(all))},
			{"row", closed(rowFields(all))},
		}},
	})
	return b.Bytes(), err
}

// property is a field of an object in the report.
type property struct {
	name     string
	required bool
	schema   object
}

// closed returns an object that allows only these fields.
func closed(fields []property) object {
	properties, required := split(fields)
	o := object{{"type", "object"}}
	if required != nil {
		o = append(o, member{"required", required})
	}
	return append(o, object{{"properties", properties}, {"additionalProperties", false}}...)
}

func split(fields []property) (properties object, required []string) {
	for _, f := range fields {
		properties = append(properties, member{f.name, f.schema})
		if f.required {
			required = append(required, f.name)
		}
	}
	return properties, required
}

// headFields returns the fields of a report, in the order in which reportjson writes them.
func headFields(all []*flow.Field) (properties object, required []string) {
	var dims, sorts []string
	for _, g := range flow.Groupings {
		dims = append(dims, g.Name)
	}
	for _, f := range all {
		if f.Dim != 0 {
			dims = append(dims, f.Name)
		}
		if !f.Derived {
			sorts = append(sorts, f.Name)
		}
	}
	return split([]property{
		{"schema", true, object{{"const", reportjson.Schema}}},
		{"final", true, typed("boolean", "false in interval reports")},
		{"seq", true, integer("number of the report, from 1")},
		{"host", false, text("name of the machine on which pktstat ran")},
		{"kernel", false, text("release of its kernel")},
		{"version", false, text("version of pktstat")},
		{"note", false, text("the text of --note")},
		{"args", false, list("the command line without the program's name", text("an argument"))},
		{"source", false, source()},
		{"backend", true, text("what counted")},
		{"attach", false, text("how the backend is attached")},
		{"reason", false, text("why this backend was chosen")},
		{"alternatives", false, list("what else was considered, the best first", closed([]property{
			{"backend", true, text("name of the backend")}, {"reason", true, text("why not, or what it lost by")},
		}))},
		{"interfaces", true, list("interfaces that were counted on", text("name of an interface"))},
		{"start", false, time("begin of the interval or of the run")},
		{"end", false, time("end of the interval or of the run")},
		{"duration_s", true, typed("number", "length in seconds, by a clock that is never set")},
		{"by", false, list("groupings and fields that rows are grouped by; absent: all that make a flow", object{{"enum", dims}})},
		{"sort", false, append(typed("string", "field that rows are ordered by; absent: bps"), member{"enum", sorts})},
		{"rate_layer", false, append(typed("string", "layer of the bytes in rates"), member{"enum", []string{"frame", "ip"}})},
		{"packets_exact", false, object{{"description", "merged frames were counted as one packet each"}, {"const", false}}},
		{"notes", false, list("what a reader must know about the numbers", text("a note"))},
		{"total", true, reference("sum", "everything that was seen: rows, rest, overflow and lost")},
		{"overflow", true, reference("sum", "counted, but to no row")},
		{"overflow_by", false, overflowBy()},
		{"lost", true, reference("lost", "seen, but not counted to a flow")},
		{"rest", true, reference("sum", "rows that --top cut off")},
		{"links", false, list("what was counted on each interface", reference("link", "an interface"))},
		{"link_total", false, reference("sum", "what of links was counted on interfaces while they were stacked on no other one")},
		{"coverage", false, coverage()},
		{"row_count", true, integer("rows before --top")},
		{"flow_count", true, integer("the same: its name is older")},
		{"flows", true, list("the rows, in order", reference("row", "a row"))},
	})
}

// source returns the schema of what was counted. It has one of the kinds.
func source() object {
	var kinds []property
	for _, k := range flow.SourceKinds {
		kinds = append(kinds, property{string(k), false, list("their names", text("a name"))})
	}
	return append(object{{"description", "what was counted; absent: all traffic"}}, closed(kinds)...)
}

// coverage returns the schema of what was counted beside the interfaces' own counters.
func coverage() object {
	return list("what was counted since the start of the run, beside the interfaces' own counters; absent: the backend cannot tell", closed([]property{
		{"iface", true, text("name of the interface")},
		{"direction", true, object{{"enum", []string{flow.Ingress.String(), flow.Egress.String()}}}},
		{"packets", true, integer("counted packets, as the interface counts them: most count a super-frame as one")},
		{"interface_packets", true, integer("by how much the interface's own counter grew")},
		{"percent", true, typed("number", "packets of interface_packets; only equal numbers are 100")},
		{"frame_bytes", true, integer("counted bytes of the frames of these packets")},
		{"interface_bytes", true, integer("by how much the interface's own counter grew")},
		{"bytes_percent", true, typed("number", "frame_bytes of interface_bytes; only equal numbers are 100")},
		{"segments", false, object{{"description", "the interface counts the segments of super-frames"}, {"const", true}}},
		{"reasons", false, list("known reasons for a difference in packets", text("a reason"))},
		{"bytes_reasons", false, list("known reasons for a difference in bytes", text("a reason"))},
	}))
}

// overflowBy returns the schema of overflow by reason. Reasons without packets are absent.
func overflowBy() object {
	var reasons []property
	for r := range flow.OverflowReason(flow.NumOverflowReasons) {
		reasons = append(reasons, property{r.String(), false, reference("sum", "overflow of this reason")})
	}
	return append(object{{"description", "overflow by reason"}}, closed(reasons)...)
}

// sumFields returns the measures. Every sum has them, except sparse ones that are 0.
func sumFields(all []*flow.Field) []property { return properties(all, flow.Measure) }

func lostFields(all []*flow.Field) []property {
	return append(sumFields(all), property{"bytes_unknown", false, object{{"description", "only the packets are known"}, {"const", true}}})
}

func linkFields(all []*flow.Field) []property {
	link := []property{{"iface", false, text("name of the interface; absent: all that are gone and forgotten")}}
	link = append(link, properties(all, flow.Measure, flow.Rate)...)
	return append(link, property{"stacked_on", false, list("interfaces that it is stacked on, or was last", text("name of an interface"))})
}

func rowFields(all []*flow.Field) []property {
	return properties(all)
}

// properties returns the fields with these roles in a report for programs. Without roles, it
// returns all.
func properties(all []*flow.Field, roles ...flow.Role) []property {
	var fields []property
	objects := map[string][]property{} // by name
	for _, f := range all {
		if f.Derived || roles != nil && !slices.Contains(roles, f.Role) {
			continue
		}
		always := f.By == 0 && f.Applies == nil && f.Known == nil && !f.Sparse
		if f.Object == "" {
			fields = append(fields, property{f.Name, always, value(f)})
			continue
		}
		if objects[f.Object] == nil {
			fields = append(fields, property{name: f.Object})
		}
		objects[f.Object] = append(objects[f.Object], property{f.Member, true, value(f)})
	}
	for i := range fields {
		if members := objects[fields[i].name]; members != nil {
			fields[i].schema = closed(members)
		}
	}
	return fields
}

// value returns the schema of a field's value.
func value(f *flow.Field) object {
	switch f.Kind {
	case flow.Uint, flow.Bytes:
		return integer(f.Help)
	case flow.BitRate, flow.PacketRate, flow.Duration:
		return append(typed("number", f.Help), member{"minimum", 0})
	case flow.Hex16:
		return append(typed("string", f.Help), member{"pattern", "^0x[0-9a-f]{4}$"})
	case flow.Time:
		return time(f.Help)
	}
	return text(f.Help)
}

func typed(name, description string) object {
	return object{{"description", description}, {"type", name}}
}

func integer(description string) object {
	return append(typed("integer", description), member{"minimum", 0})
}

func text(description string) object { return typed("string", description) }

func time(description string) object {
	return append(typed("string", description), member{"format", "date-time"})
}

func list(description string, items object) object {
	return append(typed("array", description), member{"items", items})
}

func reference(name, description string) object {
	return object{{"description", description}, {"$ref", "#/$defs/" + name}}
}
