package browser_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// strange switches on the fields below, which the script's layout does not name.
var strange atomic.Bool

func init() {
	known := func(*flow.Row) bool { return strange.Load() }
	flow.Fields.Register(flow.Field{
		Name: "altitude", Title: "Altitude", Help: "height of the packets", Kind: flow.Uint, Known: known,
		Num: func(r *flow.Row) uint64 { return 1000 * uint64(r.Src.Port()) },
	})
	flow.Fields.Register(flow.Field{
		Name: "wobbles", Title: "Wobbles", Help: "packets that wobbled", Role: flow.Measure, Sparse: true,
		Sum: func(t *flow.Totals) uint64 {
			if !strange.Load() {
				return 0
			}
			return 1000 * t.Packets
		},
	})
	flow.Fields.Register(flow.Field{
		Name: "planet", Aliases: []string{"world"}, Title: "Planet", Help: "where the source is", Role: flow.Label, Kind: flow.Text, Known: known,
		Text: func(r *flow.Row) string {
			return map[bool]string{true: "Mars", false: "Earth & Moon"}[r.Proto == flow.ICMP]
		},
	})
}

// beStrange gives rows the strange fields until the test ends.
func beStrange(t *testing.T) {
	t.Helper()
	strange.Store(true)
	t.Cleanup(func() { strange.Store(false) })
}

// golden returns the last report of a golden run.
func golden(t *testing.T, name string) *flow.Report {
	t.Helper()
	for _, g := range sinktest.Goldens() {
		if g.Name == name {
			return g.Reports[len(g.Reports)-1]
		}
	}
	t.Fatal("no golden run " + name)
	return nil
}

// cells returns the texts of a column from top to bottom, and the sums by name.
func cells(s *tab, column string) (rows []string, sums map[string]string) {
	s.t.Helper()
	const script = `(() => {
		const at = [...document.querySelectorAll("#flows th button")].findIndex((b) => b.dataset.sort === %q);
		if (at < 0) return { rows: [], sums: {} };
		const text = (tr) => tr.children[at].textContent;
		return {
			rows: [...document.querySelectorAll("#flows tbody tr.row")].map(text),
			sums: Object.fromEntries([...document.querySelectorAll("#flows tfoot tr")].map((tr) => [tr.className, text(tr)])),
		};
	})()`
	v := value[struct {
		Rows []string
		Sums map[string]string
	}](s, fmt.Sprintf(script, column))
	return v.Rows, v.Sums
}

func columns(s *tab) []string {
	s.t.Helper()
	return value[[]string](s, `[...document.querySelectorAll("#flows th button")].map((b) => b.dataset.sort)`)
}

// TestStrangeFields: a dimension, a measure and a label outside the layout are shown like the
// others.
func TestStrangeFields(t *testing.T) {
	b := chromium(t)
	plain := show(t, b, desktop, file(t, golden(t, "sums")))
	plain.wait(shown)
	if got := columns(plain); slices.Contains(got, "wobbles") || slices.Contains(got, "altitude") {
		t.Errorf("without strange fields, the columns are %q", got)
	}
	plain.Close()

	beStrange(t)
	s := show(t, b, desktop, file(t, golden(t, "sums")))
	s.wait(shown)
	if got, want := columns(s), []string{"proto", "src", "dst", "direction", "packets", "frame_bytes", "wobbles", "bps", "pps", "altitude", "planet", "first", "last"}; !slices.Equal(got, want) {
		t.Errorf("the columns are %q, want %q", got, want)
	}
	for column, want := range map[string]string{"altitude": "443000", "wobbles": "1,000,000", "planet": "Earth & Moon"} {
		if rows, _ := cells(s, column); len(rows) != 1 || rows[0] != want {
			t.Errorf("%s is %q, want %q", column, rows, want)
		}
	}
	if _, got := cells(s, "wobbles"); fmt.Sprint(got) != "map[lost:3,000 overflow:40,000 rest:500,000 total:1,543,000]" {
		t.Errorf("the sums of the measure are %v", got)
	}
	if _, got := cells(s, "altitude"); got["total"] != "" {
		t.Errorf("the sums of the dimension are %v", got)
	}
	s.wait(`document.querySelector('th.num [data-sort="altitude"][title="height of the packets"]')`)
	s.wait(`!document.querySelector('th.num [data-sort="planet"]') && document.querySelector('[data-sort="planet"]').textContent === "Planet"`)
	text := value[string](s, `document.body.innerText`)
	for _, want := range []string{"adds up, to the byte", "Wobbles\n1,543,000\npackets that wobbled"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page", want)
		}
	}

	s.run(`document.querySelector("#flows tbody tr.row").click()`)
	s.wait(`document.getElementById("details").open`)
	details := value[string](s, `document.getElementById("details-list").innerText`)
	for _, want := range []string{"altitude\n443000", "wobbles\n1000000", "planet\nEarth & Moon"} {
		if !strings.Contains(details, want) {
			t.Errorf("the details are %q, without %q", details, want)
		}
	}
	s.click("#details-close")

	// Only a label gets a card.
	if got := value[string](s, `document.querySelector('[data-kind="planet"] h2').textContent`); got != "Planet" {
		t.Errorf("the card of the label is %q", got)
	}
	s.wait(`!document.querySelector('[data-kind="altitude"], [data-kind="wobbles"]')`)
	s.check()
}

// TestStrangeSearch: a click in a label's card finds its rows, as do the field's aliases.
func TestStrangeSearch(t *testing.T) {
	beStrange(t)
	s := show(t, chromium(t), phone, file(t, golden(t, "mixed")))
	s.wait(shown)
	s.click(`[data-kind="planet"] li:nth-child(2) button.item`)
	s.wait(`document.getElementById("search").value === "planet:Mars"`)
	for _, query := range []string{"planet:Mars", "world:mars"} {
		s.run(fmt.Sprintf(`const box = document.getElementById("search"); box.value = %q; box.dispatchEvent(new Event("input"))`, query))
		if text := value[string](s, `document.getElementById("matches").textContent`); !strings.HasPrefix(text, "3 of 16 flows match") {
			t.Errorf("%s: %s", query, text)
		}
	}
	s.check()
}

// TestSparseSum: the table shows a sum that has only a sparse measure.
func TestSparseSum(t *testing.T) {
	r := golden(t, "sockets")
	r.Total = r.Total.Minus(r.Overflow)
	r.Overflow = flow.Totals{Health: flow.Health{Retransmits: 1}}
	r.Total.Add(r.Overflow)
	s := show(t, chromium(t), desktop, file(t, r))
	s.wait(shown)
	if rows, sums := cells(s, "retransmits"); fmt.Sprint(rows, sums) != "[ 3] map[overflow:1 rest:6 total:10]" {
		t.Errorf("retransmits are %q and %v", rows, sums)
	}
	s.wait(`document.body.innerText.includes("adds up, to the byte")`)
	s.check()
}

// TestSort: at first, the table has the report's order (--sort).
func TestSort(t *testing.T) {
	b := chromium(t)
	rates := []string{"1.29 Mbps", "23.7 kbps", "19.5 kbps", "235 bps", "118 bps"}
	for sort, want := range map[string]struct {
		column, order string
		rows          []string
	}{
		"bps":         {"bps", "descending", rates},
		"retransmits": {"bps", "descending", rates}, // no row has retransmits
		"packets":     {"packets", "descending", []string{"1,200", "400", "30", "3", "2"}},
		"bytes":       {"bytes", "descending", []string{"1.53 MiB", "23.4 KiB", "23.4 KiB", "252 B", "120 B"}},
		"comm":        {"comm", "ascending", []string{"", "", "curl", "named", "nginx"}},
		"uid":         {"uid", "ascending", []string{"", "", "0", "33", "1000"}},
		"src":         {"src", "ascending", []string{"192.0.2.1:443", "198.51.100.9", "198.51.100.9:40000", "198.51.100.9:40001", "198.51.100.9:40002"}},
		"dst_port":    {"dst", "ascending", []string{"192.0.2.2", "192.0.2.2:53", "192.0.2.2:80", "203.0.113.1:443", "192.0.2.2:50000"}},
		"icmp_type":   {"info", "ascending", []string{"", "", "", "", "echo-request"}},
		"first":       {"first", "ascending", []string{"09:30:00.123", "09:30:00.124", "09:30:00.125", "09:30:00.126", "09:30:00.127"}},
		"last":        {"last", "descending", []string{"09:30:10.123", "09:30:10.122", "09:30:10.122", "09:30:10.122", "09:30:10.122"}},
	} {
		t.Run(sort, func(t *testing.T) {
			r := golden(t, "processes")
			r.Sort = sort
			slices.Reverse(r.Packed) // so that the page must sort
			s := show(t, b, desktop, file(t, r))
			s.wait(shown)
			s.wait(fmt.Sprintf(`document.querySelector('th[aria-sort=%q] [data-sort=%q]')`, want.order, want.column))
			if n := value[int](s, `document.querySelectorAll("th[aria-sort]").length`); n != 1 {
				t.Errorf("%d columns are marked", n)
			}
			if rows, _ := cells(s, want.column); !slices.Equal(rows, want.rows) {
				t.Errorf("the rows are %q, want %q", rows, want.rows)
			}
			s.check()
			s.Close()
		})
	}
}

// TestLiveSort: a live page begins with the report's order, and keeps the order that the user
// chooses.
func TestLiveSort(t *testing.T) {
	sink, address := serve(t)
	reports := history(2)
	for _, r := range reports {
		r.Sort = "src"
	}
	write(t, sink, reports[0])
	s := show(t, chromium(t), desktop, address)
	s.wait(shown)
	s.wait(`document.querySelector('th[aria-sort="ascending"] [data-sort="src"]')`)
	if rows, _ := cells(s, "src"); rows[0] != "192.0.2.0:443" {
		t.Errorf("sorted by source, the rows are %q", rows)
	}
	s.click(`[data-span="run"]`)
	s.wait(footSays("The run up to interval 1."))
	s.wait(`document.querySelector('th[aria-sort="ascending"] [data-sort="src"]')`)
	s.click(`[data-sort="packets"]`)
	s.wait(`document.querySelector('th[aria-sort="descending"] [data-sort="packets"]')`)
	write(t, sink, reports[1])
	s.wait(footSays("The run up to interval 2."))
	s.wait(`document.querySelector('th[aria-sort="descending"] [data-sort="packets"]')`)
	s.check()
}

// TestInfo: the page has the same names for protocol numbers as all other outputs.
func TestInfo(t *testing.T) {
	r := sinktest.ManyFlows(0)
	key := func(i int) flow.Key {
		return flow.Key{Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 0), Dst: netip.MustParseAddrPort("198.51.100.1:0"), Dir: flow.Ingress, Ifindex: 2}
	}
	add := func(change func(*flow.Key)) {
		k := key(len(r.Packed))
		change(&k)
		c := flow.Counters{Packets: uint64(1000 - len(r.Packed)), Bytes: 100, FrameBytes: 114}
		r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c, Total: c, First: r.Start.UnixNano(), Last: r.End.UnixNano()})
		r.Total.Counters.Add(c)
	}
	for typ := range flow.ICMPTypes {
		add(func(k *flow.Key) { k.Proto, k.Subtype = flow.ICMP, uint32(typ)<<8 })
	}
	for typ := range flow.ICMPv6Types {
		add(func(k *flow.Key) { k.Proto, k.Subtype = flow.ICMPv6, uint32(typ)<<8|3 })
	}
	add(func(k *flow.Key) { k.Proto, k.Subtype = flow.ICMP, 200<<8|1 })
	for op := range flow.ARPOperations {
		add(func(k *flow.Key) { k.EtherType, k.Subtype = flow.EtherTypeARP, op })
	}
	add(func(k *flow.Key) { k.EtherType, k.Subtype = flow.EtherTypeARP, 77 })
	for typ := range flow.EtherTypes {
		if typ != flow.EtherTypeARP {
			add(func(k *flow.Key) { k.EtherType = typ })
		}
		add(func(k *flow.Key) { k.Proto, k.Subtype = flow.GRE, uint32(typ) })
	}
	add(func(k *flow.Key) { k.Proto, k.Subtype = flow.GRE, 0x1234 })
	add(func(k *flow.Key) { k.Proto, k.Subtype = flow.ESP, 0x1000 })
	add(func(k *flow.Key) { k.Proto, k.Subtype = flow.AH, 0xffffffff })
	r.FlowCount, r.Sort = len(r.Packed), "packets"

	field := flow.Fields.Find("info")
	var want []string
	for row := range r.Rows() {
		want = append(want, field.Text(&row))
	}
	s := show(t, chromium(t), desktop, file(t, r))
	s.wait(shown)
	s.run(`dispatchEvent(new Event("beforeprint"))`)
	got, _ := cells(s, "info")
	s.run(`dispatchEvent(new Event("afterprint"))`)
	s.check()
	if len(got) != len(want) {
		t.Fatalf("%d rows of %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("row %d is %q, want %q", i, got[i], want[i])
		}
	}
}
