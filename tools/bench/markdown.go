package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteMarkdown writes the result as tables.
func (r *Result) WriteMarkdown(w io.Writer) error {
	m := &markdown{w: w, r: r}
	m.printf("Measured %s on Linux %s, %d x %s, %s; %d rounds, %.0f s.\n",
		r.Time.Format("2006-01-02"), r.Machine.Kernel, r.Machine.CPUs, r.Machine.Model, r.Machine.Go, r.Scale.Rounds, r.Took)
	for _, n := range r.Notes {
		m.printf("\nNote: %s.\n", n)
	}
	m.targets()
	m.costs("micro", "One flow, by kind of packet: ns a packet net of an empty program",
		[]column{{"hook", hookOf}, {"packet", packetOf}, {"bytes", sizeOf}})
	m.costs("flows", "Many flows: ns a packet net of an empty program",
		[]column{{"hook", hookOf}, {"packet", packetOf}, {"flows", flowsOf}, {"packets over flows", distOf}, {"table", tableOf}, {"flows are", stateOf}})
	m.costs("flood", "A flood of new flows: ns a packet net of an empty program", []column{{"hook", hookOf}, {"packet", packetOf}})
	m.floods()
	m.live()
	m.costs("contention", "CPUs on one flow: ns a packet net of an empty program", []column{{"hook", hookOf}, {"CPUs", cpusOf}})
	m.reports()
	m.costs("stack", "Sockets that talk over lo: ns a call net of an empty program", []column{{"hook", hookOf}, {"traffic", packetOf}})
	m.exchanges()
	return m.err
}

type markdown struct {
	w   io.Writer
	r   *Result
	err error
}

func (m *markdown) printf(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, args...)
	}
}

// column is a field of a case.
type column struct {
	title string
	of    func(*Case) string
}

func hookOf(c *Case) string   { return string(c.Hook) }
func packetOf(c *Case) string { return c.Packet }
func sizeOf(c *Case) string   { return fmt.Sprint(c.Size) }
func flowsOf(c *Case) string  { return count(c.Flows) }
func distOf(c *Case) string   { return c.Distribution }
func tableOf(c *Case) string  { return c.Table }
func stateOf(c *Case) string  { return c.State }
func cpusOf(c *Case) string   { return fmt.Sprint(c.CPUs) }
func stepOf(c *Case) string   { return c.Step }

// count formats powers of 1024 with k and M.
func count(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dk", n>>10)
	}
	return fmt.Sprint(n)
}

func (m *markdown) groups(experiment string) []*Group {
	var all []*Group
	for i := range m.r.Groups {
		if g := &m.r.Groups[i]; g.Experiment == experiment && g.Unit != UnitExchanges {
			all = append(all, g)
		}
	}
	return all
}

// table writes a table. The first text columns are aligned left, numbers right.
func (m *markdown) table(title string, text int, header []string, rows [][]string) {
	m.printf("\n### %s\n\n", title)
	m.printf("| %s |\n|", strings.Join(header, " | "))
	for i := range header {
		m.printf("%s", map[bool]string{true: "---|", false: "--:|"}[i < text])
	}
	m.printf("\n")
	for _, row := range rows {
		m.printf("| %s |\n", strings.Join(row, " | "))
	}
}

// costs writes the groups of an experiment about costs: a column for each program, and ratios to
// pktstat.
func (m *markdown) costs(experiment, title string, columns []column) {
	groups := m.groups(experiment)
	if len(groups) == 0 {
		return
	}
	programs := programsOf(groups)
	var header []string
	for _, c := range columns {
		header = append(header, c.title)
	}
	header = append(append(header, Empty), programs...)
	others := slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return p == Ours || p == Parts })
	for _, p := range others {
		header = append(header, Ours+" / "+p)
	}
	var rows [][]string
	for _, g := range groups {
		var row []string
		for _, c := range columns {
			row = append(row, c.of(&g.Case))
		}
		row = append(row, median(g.Rounds(Empty), "%.1f"))
		for _, p := range programs {
			row = append(row, median(g.Net(p), "%.1f"))
		}
		for _, p := range others {
			row = append(row, ratio(g, Ours, p))
		}
		rows = append(rows, row)
	}
	m.table(title, len(columns), header, rows)
}

// programsOf returns the programs in groups, without the empty one.
func programsOf(groups []*Group) []string {
	var names []string
	for _, g := range groups {
		for _, s := range g.Series {
			if s.Program != Empty && !slices.Contains(names, s.Program) {
				names = append(names, s.Program)
			}
		}
	}
	return names
}

func median(values []float64, format string) string {
	s, ok := stat(values)
	if !ok {
		return ""
	}
	return fmt.Sprintf(format, s.Median)
}

func ratio(g *Group, a, b string) string {
	s, ok := g.Ratio(a, b)
	if !ok {
		return ""
	}
	return s.ratio()
}

func (s Stat) ratio() string { return fmt.Sprintf("%.3f (%.3f–%.3f)", s.Median, s.P10, s.P90) }

func (m *markdown) floods() {
	var rows [][]string
	for _, f := range m.r.Floods {
		rows = append(rows, []string{
			string(f.Hook), f.Packet, f.Program, fmt.Sprint(f.Packets), fmt.Sprint(f.UnaccountedPackets),
			fmt.Sprintf("%.1f %%", 100*float64(f.UnaccountedPackets)/float64(f.Packets)),
			fmt.Sprint(f.UnaccountedBytes), fmt.Sprintf("%d of %d", f.Elephants, elephants),
		})
	}
	if len(rows) > 0 {
		m.table("The same flood: what is accounted for, in the worst round", 3, []string{
			"hook", "packet", "program", "packets", "packets unaccounted", "share", "bytes unaccounted", "elephants found",
		}, rows)
	}
}

// live writes packet rates relative to the empty program's.
func (m *markdown) live() {
	groups := m.groups("live")
	if len(groups) == 0 {
		return
	}
	programs := programsOf(groups)
	header := append([]string{"hook", "flows", "table", "empty, Mpackets/s"}, programs...)
	var rows [][]string
	for _, g := range groups {
		empties := slices.Clone(g.Rounds(Empty))
		for i := range empties {
			empties[i] /= 1e6
		}
		row := []string{hookOf(&g.Case), flowsOf(&g.Case), tableOf(&g.Case), median(empties, "%.2f")}
		for _, p := range programs {
			row = append(row, ratio(g, p, Empty))
		}
		rows = append(rows, row)
	}
	m.table("Live frames over veth: share of the empty program's packet rate", 3, header, rows)
}

func (m *markdown) reports() {
	groups := m.groups("report")
	if len(groups) == 0 {
		return
	}
	programs := programsOf(groups)
	others := slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return p == Ours })
	header := append([]string{"flows", "step", "unit"}, programs...)
	for _, p := range others {
		header = append(header, Ours+" / "+p)
	}
	var rows [][]string
	for _, g := range groups {
		row := []string{flowsOf(&g.Case), stepOf(&g.Case), g.Unit}
		for _, p := range programs {
			row = append(row, median(g.Rounds(p), "%.1f"))
		}
		for _, p := range others {
			row = append(row, ratio(g, Ours, p))
		}
		rows = append(rows, row)
	}
	m.table("From the table to a report", 3, header, rows)
}

// exchanges writes which share of the exchanges remains with something attached.
func (m *markdown) exchanges() {
	programs := []string{Empty, Ours, Processes, AppBytes}
	header := append([]string{"hook", "traffic", Nothing + ", exchanges/s"}, programs...)
	var rows [][]string
	for i := range m.r.Groups {
		g := &m.r.Groups[i]
		if g.Unit != UnitExchanges {
			continue
		}
		row := []string{hookOf(&g.Case), packetOf(&g.Case), median(g.Rounds(Nothing), "%.0f")}
		for _, p := range programs {
			row = append(row, ratio(g, p, Nothing))
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		m.table("The same, as exchanges in a second of CPU time: share of what there are with nothing attached", 2, header, rows)
	}
}

func (m *markdown) targets() {
	if len(m.r.Targets) == 0 {
		return
	}
	var rows [][]string
	for _, t := range m.r.Targets {
		rows = append(rows, []string{t.What, t.Want, t.Measured, t.Verdict})
	}
	m.table("Targets", 4, []string{"what", "target", "measured: median (p10–p90)", "holds"}, rows)
}
