package everywhere

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// check compares the test's fields of each row and sum with the fields that they are computed from.
func (r *report) check(t *testing.T) {
	t.Helper()
	realms, classes := map[string]int{}, map[string]int{}
	for _, f := range r.Flows {
		class, realm := "", ""
		if f.SrcPort != 0 {
			class = portClass(f.SrcPort)
		}
		if a, err := netip.ParseAddr(f.Src); err == nil {
			realm = realmOf(a)
		}
		if f.PortClass != class || f.Realm != realm || f.Doubled != 2*f.Packets {
			t.Errorf("row %+v, want %q, %q and twice the packets", f, class, realm)
		}
		classes[class]++
		realms[realm]++
	}
	if len(classes) != 4 || len(realms) != 3 { // with "": some rows have no value
		t.Errorf("rows by class %v, by realm %v", classes, realms)
	}
	r.checkSums(t)
}

func (r *report) checkSums(t *testing.T) {
	t.Helper()
	for _, s := range []sum{r.Total, r.Rest, r.Overflow, r.Lost} {
		if s.Doubled != 2*s.Packets {
			t.Errorf("sum %+v", s)
		}
	}
	if r.Total.Packets == 0 {
		t.Error("nothing was counted")
	}
}

func TestJSON(t *testing.T) { counted(t).check(t) }

func TestNDJSON(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(count(t, "--output", "ndjson", "--refresh", "1s")), "\n")
	for _, line := range lines {
		parse(t, line).checkSums(t)
	}
	if len(lines) < 9 {
		t.Errorf("%d reports", len(lines))
	}
	parse(t, lines[len(lines)-1]).check(t)
}

// table is CSV by line and column.
type table []map[string]string

func readCSV(t *testing.T, text string) (header []string, lines table) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		line := map[string]string{}
		for i, cell := range r {
			line[records[0][i]] = cell
		}
		lines = append(lines, line)
	}
	return records[0], lines
}

func TestCSV(t *testing.T) {
	_, lines := readCSV(t, count(t, "--top", "100", "--output", "csv"))
	want := counted(t, "--top", "100")
	for i, f := range want.Flows {
		if l := lines[i]; l["port_class"] != f.PortClass || l["realm"] != termsafe.String(f.Realm) || l["doubled"] != strconv.FormatUint(f.Doubled, 10) {
			t.Errorf("line %v, want %+v", l, f)
		}
	}
	for _, l := range lines[len(want.Flows):] {
		n, err := strconv.ParseUint(l["packets"], 10, 64)
		if err != nil || l["doubled"] != strconv.FormatUint(2*n, 10) || l["realm"] != "" || l["port_class"] != "" {
			t.Errorf("line %v: %v", l, err)
		}
	}
	if rest := lines[len(want.Flows)]; rest["row"] != "rest" || rest["doubled"] == "0" {
		t.Errorf("line %v", rest)
	}
}

func TestPlain(t *testing.T) {
	want := counted(t, "--top", "100")
	lines := strings.Split(count(t, "--top", "100", "--output", "plain"), "\n")
	for i, f := range want.Flows {
		for name, value := range map[string]string{"port_class": f.PortClass, "doubled": strconv.FormatUint(f.Doubled, 10)} {
			if has := strings.Contains(lines[i]+" ", " "+name+"="+value+" "); has != (value != "") {
				t.Errorf("%s %q in line %q", name, value, lines[i])
			}
		}
		if has := strings.Contains(lines[i], " realm="); has != (f.Realm != "") || has && !strings.Contains(lines[i], " world") && !strings.Contains(lines[i], `\x20world`) {
			t.Errorf("realm %q in line %q", f.Realm, lines[i])
		}
	}
	sums := slices.DeleteFunc(lines[len(want.Flows):], func(line string) bool { // without counters
		return strings.HasPrefix(line, "origin ") || strings.HasPrefix(line, "command ")
	})
	for i, s := range []sum{want.Rest, want.Total} {
		if line := sums[i]; !strings.Contains(line, fmt.Sprintf(" packets=%d ", s.Packets)) || !strings.Contains(line+" ", fmt.Sprintf(" doubled=%d ", s.Doubled)) {
			t.Errorf("line %q of %+v", line, s)
		}
	}
}

// titles returns the titles of a table's columns. Two spaces separate them.
func titles(out string) []string {
	var all []string
	lines := strings.Split(out, "\n")
	rule := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "---") })
	for title := range strings.SplitSeq(lines[max(rule-1, 0)], "  ") {
		if title = strings.TrimSpace(title); title != "" {
			all = append(all, title)
		}
	}
	return all
}

func TestTable(t *testing.T) {
	out := count(t, "--top", "5")
	columns := titles(out)
	for _, title := range []string{"Port class", "Doubled", "Realm"} {
		if !slices.Contains(columns, title) {
			t.Errorf("columns %q without %s", columns, title)
		}
	}
	want := counted(t, "--top", "5")
	_, body, _ := strings.Cut(out, "---\n")
	lines := strings.Split(body, "\n")
	for i, f := range want.Flows {
		line := strings.Join(strings.Fields(lines[i]), " ") + " "
		for _, text := range []string{f.PortClass, termsafe.String(f.Realm), strconv.FormatUint(f.Doubled, 10)} {
			if !strings.Contains(line, " "+text+" ") {
				t.Errorf("no %q in %q", text, line)
			}
		}
	}
	for name, s := range map[string]sum{"rest": want.Rest, "total": want.Total} {
		_, line, _ := strings.Cut(body, "\n"+name+" ")
		line, _, _ = strings.Cut(line, "\n")
		if cells := strings.Fields(line); !slices.Contains(cells, fmt.Sprint(s.Doubled)) || s.Doubled == 0 {
			t.Errorf("no %d in %s %q", s.Doubled, name, line)
		}
	}
}

// TestBy: --by accepts the label's name and alias, and rows have no other dimension.
func TestBy(t *testing.T) {
	for _, name := range []string{"realm", "kingdom"} {
		r := counted(t, "--by", name)
		if !slices.Equal(r.By, []string{"realm"}) || len(r.Flows) != 3 {
			t.Fatalf("by %q: %+v", r.By, r.Flows)
		}
		seen := map[string]uint64{}
		for _, f := range r.Flows {
			seen[f.Realm] += f.Packets
			if f.Src != "" || f.PortClass != "" || f.Doubled != 2*f.Packets {
				t.Errorf("row %+v", f)
			}
		}
		for _, f := range counted(t).Flows {
			seen[f.Realm] -= f.Packets
		}
		if len(seen) != 3 || seen[""] != 0 || seen["new world"] != 0 {
			t.Errorf("differences from flows: %v", seen)
		}
		r.checkSums(t)
	}
	var exit *exec.ExitError
	if err := command(t, "--pcap-file", capture, "--by", "port_class").Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("--by of a field that is not groupable: %v", err)
	}
}

// TestSort: --sort accepts each of the three fields, and sorts by its values.
func TestSort(t *testing.T) {
	for name, key := range map[string]func(row) string{
		"doubled": func(f row) string { return fmt.Sprintf("%020d", 1<<40-f.Doubled) }, "twice": func(f row) string { return fmt.Sprintf("%020d", 1<<40-f.Packets) },
		"class": func(f row) string { return f.PortClass }, "realm": func(f row) string { return f.Realm },
	} {
		r := counted(t, "--sort", name)
		if !slices.IsSortedFunc(r.Flows, func(a, b row) int { return strings.Compare(key(a), key(b)) }) {
			t.Errorf("--sort %s: %+v", name, r.Flows)
		}
		r.check(t)
	}
}

// TestColumns: columns= accepts names and aliases, in every output that has it.
func TestColumns(t *testing.T) {
	const chosen = "columns=kingdom+doubled+class"
	if header, _ := readCSV(t, count(t, "--output", "csv=-,"+chosen)); !slices.Equal(header, []string{"row", "realm", "doubled", "port_class"}) {
		t.Errorf("CSV has the columns %q", header)
	}
	if columns := titles(count(t, "--output", "table=-,"+chosen)); !slices.Equal(columns, []string{"Realm", "Doubled", "Port class"}) {
		t.Errorf("the table has the columns %q", columns)
	}
	if line, _, _ := strings.Cut(count(t, "--output", "plain=-,"+chosen), "\n"); !strings.HasPrefix(line, "realm=") || !strings.Contains(line, " doubled=616 port_class=system") {
		t.Errorf("the first line is %q", line)
	}
}

// TestLabel: the label can be turned off, and is listed.
func TestLabel(t *testing.T) {
	for _, f := range counted(t, "--realm=false").Flows {
		if f.Realm != "" || f.Doubled == 0 {
			t.Fatalf("without the label: %+v", f)
		}
	}
	for _, want := range []string{"realm: the version of IP", "--realm"} {
		if out := run(t, "labels"); !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestFields: `pktstat fields` lists the three fields with titles, aliases and roles.
func TestFields(t *testing.T) {
	out := strings.Join(strings.Fields(run(t, "fields")), " ")
	for _, want := range []string{
		"port_class word dimension Port class: range of the source port (RFC 6335); also class",
		"doubled uint measure Doubled: packets, each counted twice; also twice",
		"realm text label yes Realm: where the source is; also kingdom",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, f := range list(t, run(t, "fields", "--json")) {
		if f.Name == "realm" && (f.Role != "label" || !f.By || !slices.Equal(f.Aliases, []string{"kingdom"})) {
			t.Errorf("field %+v", f)
		}
	}
}
