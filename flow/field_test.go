package flow

import (
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// accessors returns the names of the accessors that are set.
func accessors(f *Field) string {
	var set []string
	for _, a := range []struct {
		name string
		set  bool
	}{{"Num", f.Num != nil}, {"Text", f.Text != nil}, {"Addr", f.Addr != nil}, {"Time", f.Time != nil}, {"Sum", f.Sum != nil}, {"Rate", f.Rate != nil}} {
		if a.set {
			set = append(set, a.name)
		}
	}
	return strings.Join(set, "+")
}

// TestFields: every field of the table is complete and consistent.
func TestFields(t *testing.T) {
	byKind := map[Kind][]string{
		Uint: {"Num", "Sum"}, Bytes: {"Sum"}, BitRate: {"Rate"}, PacketRate: {"Rate"}, Hex16: {"Num"}, Duration: {"Num"},
		Text: {"Text"}, Word: {"Text"}, Addr: {"Addr"}, Time: {"Time"}, Flags: {"Num+Text"},
	}
	byRole := map[Role]string{Measure: "Sum", Rate: "Rate", When: "Time"}
	snakeCase := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen, numbers, dims := map[string]bool{}, map[uint16]string{}, Dims(0)
	for i, f := range Fields.All() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if !snakeCase.MatchString(name) || seen[name] || name == "flow" {
				t.Errorf("name %q of %s is malformed or taken", name, f.Name)
			}
			seen[name] = true
			if Fields.Find(name) != f {
				t.Errorf("%s is not found as %q", f.Name, name)
			}
		}
		if f.Title == "" || f.Help == "" || strings.Contains(f.Title+f.Help, "\n") || strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: title %q, help %q", f.Name, f.Title, f.Help)
		}
		a := accessors(f)
		if !slices.Contains(byKind[f.Kind], a) {
			t.Errorf("%s of kind %s has the accessors %q", f.Name, f.Kind, a)
		}
		if want := byRole[f.Role]; want != "" && a != want || want == "" && slices.Contains([]string{"Sum", "Rate", "Time"}, a) {
			t.Errorf("%s of role %s has the accessors %q", f.Name, f.Role, a)
		}
		if (f.Kind == Addr || f.Kind == Time) && f.Order == nil {
			t.Errorf("%s: no accessor orders rows by it", f.Name)
		}
		if bits.OnesCount64(uint64(f.Dim)) > 1 || f.Dim&dims != 0 || f.Dim&^f.By != 0 {
			t.Errorf("%s: --by sets bits %b, By is %b", f.Name, f.Dim, f.By)
		}
		dims |= f.Dim
		if other := numbers[f.IPFIX]; f.IPFIX != 0 && other != "" {
			t.Errorf("%s and %s are IPFIX element %d", other, f.Name, f.IPFIX)
		}
		numbers[f.IPFIX] = f.Name
		if i > 0 && f.Role < Fields.All()[i-1].Role {
			t.Errorf("%s of role %s follows a %s", f.Name, f.Role, Fields.All()[i-1].Role)
		}
	}
	if want := DimsAll&^(DimEnds|DimEndPorts) | siteField.Dim; dims != want { // groupings have these
		t.Errorf("the fields' dimensions are %b, want %b", dims, want)
	}
	for _, name := range []string{"src_port", "dst_port", "direction", "bps"} {
		alias := map[string]string{"src_port": "sport", "dst_port": "dport", "direction": "dir", "bps": "rate"}[name]
		if f := Fields.Find(alias); f == nil || f.Name != name {
			t.Errorf("%s is no alias of %s", alias, name)
		}
	}
	if Fields.Find("colour") != nil || Fields.Find("flow") != nil {
		t.Error("there are fields named colour or flow")
	}
}

// testTable returns a table with the fields of this package only.
func testTable() *FieldTable { return newFieldTable(packetFields, ownerFields) }

func label(name string, aliases ...string) Field {
	return Field{Name: name, Aliases: aliases, Title: "Label", Help: "a label", Role: Label, Kind: Text, Text: func(*Row) string { return "x" }}
}

func TestRegister(t *testing.T) {
	table := testTable()
	f := table.Register(label("country", "cc"))
	if all := table.All(); all[len(all)-1] != f || table.Find("country") != f || table.Find("cc") != f {
		t.Errorf("%+v is not the last label, or is not found", f)
	}
	if f.Dim != 0 || Fields.Find("country") != nil {
		t.Errorf("dimension %b; in the other table: %v", f.Dim, Fields.Find("country"))
	}
	m := label("hops")
	m.Role, m.Kind, m.Text, m.Sum = Measure, Uint, nil, func(t *Totals) uint64 { return t.Packets }
	table.Register(m)
	names := table.Names(func(f *Field) bool { return f.Role == Measure })
	if want := []string{"packets", "bytes", "frame_bytes", "out_packets", "out_bytes", "out_frame_bytes", "in_packets", "in_bytes", "in_frame_bytes", "retransmits", "retransmit_bytes", "resets", "connect_failed", "hops"}; !slices.Equal(names, want) {
		t.Errorf("measures %q, want %q", names, want)
	}
}

func TestRegisterPanics(t *testing.T) {
	for what, f := range map[string]Field{
		"no name": label(""), "upper case": label("Country"), "a dash": label("coun-try"), "a digit first": label("1st"), "the name of the default": label("flow"),
		"a name that is taken": label("bytes"), "an alias that is taken": label("country", "sport"), "a malformed alias": label("country", "c c"),
		"a name that is an alias": label("dport"), "its own name as alias": label("country", "country"),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was registered", what)
				}
			}()
			testTable().Register(f)
		}()
	}
}

// TestGroupable: each groupable label gets a free bit. Registering one more panics.
func TestGroupable(t *testing.T) {
	table, taken := testTable(), DimsAll
	for i := range 64 - bits.Len64(uint64(DimsAll)) {
		f := label("label_" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
		f.Groupable = true
		got := table.Register(f)
		if bits.OnesCount64(uint64(got.Dim)) != 1 || got.Dim&taken != 0 {
			t.Fatalf("%s has %b, taken are %b", f.Name, got.Dim, taken)
		}
		taken |= got.Dim
		if names := table.dimNames(got.Dim); len(names) != 1 || names[0] != f.Name {
			t.Errorf("%b is %q, want %s", got.Dim, names, f.Name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a label has a dimension although none was left")
		}
	}()
	f := label("one_too_many")
	f.Groupable = true
	table.Register(f)
}

func TestDimNames(t *testing.T) {
	var names []string
	for _, f := range Fields.All() {
		if f.Dim == 0 {
			continue
		}
		names = append(names, f.Name)
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if d, err := ParseDims(name); err != nil || d != f.Dim || d.String() != f.Name {
				t.Errorf("%q: %b (%s), %v; want %b", name, d, d, err, f.Dim)
			}
		}
	}
	names = append([]string{"flow", "conversation", "pair"}, names...)
	if !slices.Equal(DimNames(), names) {
		t.Errorf("names %q, want %q", DimNames(), names)
	}
	_, err := ParseDims("src,colour")
	if want := `unknown field "colour": use any of ` + strings.Join(names, ", "); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestParseColumns(t *testing.T) {
	got, err := Fields.ParseColumns("bytes+sport + rate+info")
	var names []string
	for _, f := range got {
		names = append(names, f.Name)
	}
	if want := []string{"bytes", "src_port", "bps", "info"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, err, want)
	}
	for _, bad := range []string{"", "bytes+", "bytes,packets", "colour"} {
		_, err := Fields.ParseColumns(bad)
		if err == nil || !strings.Contains(err.Error(), "there are proto, src, src_port, ") || !strings.HasSuffix(err.Error(), ", match, "+siteField.Name+", "+teamField.Name) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWritten(t *testing.T) {
	for by, want := range map[string]string{
		"src":           "src packets bytes frame_bytes retransmits retransmit_bytes resets connect_failed tcp_flags retransmits_by rtt rtt_by tcp_state bps pps first last match",
		"proto,subtype": "proto icmp_type icmp_code spi gre_proto gre_flags gre_version igmp_type ospf_version ospf_type arp_op ethertype packets bytes frame_bytes retransmits retransmit_bytes resets connect_failed tcp_flags retransmits_by rtt rtt_by tcp_state bps pps first last match",
		"subtype":       "subtype packets bytes frame_bytes retransmits retransmit_bytes resets connect_failed tcp_flags retransmits_by rtt rtt_by tcp_state bps pps first last match",
		"comm":          "packets bytes frame_bytes retransmits retransmit_bytes resets connect_failed tcp_flags retransmits_by rtt rtt_by tcp_state bps pps first last comm match",
		"cgroup":        "packets bytes frame_bytes retransmits retransmit_bytes resets connect_failed tcp_flags retransmits_by rtt rtt_by tcp_state bps pps first last cgroup_id cgroup container match",
	} {
		d, err := ParseDims(by)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range Fields.Written(d) {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("by %s: %s, want %s", by, got, want)
		}
	}
}

// TestAppendValue: every kind of value has a text.
func TestAppendValue(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 60, time.FixedZone("", 3600))
	r := &Report{Start: at, End: at.Add(2 * time.Second), RateLayer: LayerIP}
	row := &Row{
		Key:    Key{Src: ap("192.0.2.1:443"), Dst: ap("[2001:db8::1]:53"), Proto: UDP, Dir: Egress, EtherType: 0x88cc, Ifindex: 7},
		Totals: Totals{Counters: Counters{Packets: 3, Bytes: 1 << 62}, Health: Health{Retransmits: 9}}, First: at, Owner: Owner{Comm: "a\x1b b"},
	}
	for name, want := range map[string]string{
		"src": "192.0.2.1", "dst": "2001:db8::1", "src_port": "443", "ethertype": "0x88cc", "direction": "egress", "iface": "if7", "comm": "a\x1b b",
		"bytes": "4611686018427387904", "retransmits": "9", "bps": "18446744073709552000", "pps": "1.5", "first": "2026-01-02T02:04:05.00000006Z", "last": "",
	} {
		if got := string(Fields.Find(name).AppendValue([]byte("+"), r, row)); got != "+"+want {
			t.Errorf("%s is %q, want %q", name, got, "+"+want)
		}
	}
	flags := Field{Kind: Flags, Text: func(*Row) string { return "SA" }}
	if got := string(flags.AppendValue(nil, r, row)); got != "SA" {
		t.Errorf("flags are %q", got)
	}
	for _, v := range []uint16{0, 4, 0x0806, 0x88cc, 0xffff} {
		if got, want := string(AppendHex16(nil, v)), EtherType(v).String(); got != want {
			t.Errorf("AppendHex16(%d) = %q, want %q", v, got, want)
		}
	}
}

func TestDescending(t *testing.T) {
	var got []string
	for _, f := range Fields.All() {
		if f.Descending() {
			got = append(got, f.Name)
		}
	}
	if want := "packets bytes frame_bytes out_packets out_bytes out_frame_bytes in_packets in_bytes in_frame_bytes retransmits retransmit_bytes resets connect_failed rtt bps pps out_bps in_bps last"; strings.Join(got, " ") != want {
		t.Errorf("the largest first by %q, want %s", got, want)
	}
}

func TestRolesAndKinds(t *testing.T) {
	names := map[string]bool{}
	for r := Dimension; r <= Label; r++ {
		names["role "+r.String()] = true
	}
	for k := Uint; k <= Flags; k++ {
		names["kind "+k.String()] = true
	}
	if len(names) != int(Label)+int(Flags)+2 {
		t.Errorf("%d names: %v", len(names), names)
	}
	if !PacketRate.IsNumber() || !Uint.IsNumber() || Hex16.IsNumber() || Time.IsNumber() {
		t.Error("IsNumber is wrong")
	}
}

func TestIfaceName(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want string
	}{
		{Row{Iface: "eth0", Key: Key{Ifindex: 2}}, "eth0"},
		{Row{Key: Key{Ifindex: 7}}, "if7"},
		{Row{}, ""},
	} {
		if got := c.row.IfaceName(); got != c.want {
			t.Errorf("IfaceName of %d is %q, want %q", c.row.Ifindex, got, c.want)
		}
	}
}
