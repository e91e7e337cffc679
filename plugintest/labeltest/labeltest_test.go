package labeltest

import (
	"context"
	"errors"
	"flag"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// defect is an error in a label; "" is none.
type defect string

// testField is a field of this test's labels.
var testField = flow.Fields.Register(flow.Field{
	Name: "test_size", Title: "Size", Help: "how large the port is", Kind: flow.Text, Role: flow.Label, Groupable: true,
})

var cases = []Case{
	{Key: flow.Key{Proto: flow.TCP, Src: netip.MustParseAddrPort("192.0.2.1:50000"), Dst: netip.MustParseAddrPort("192.0.2.2:443")}, Want: map[string]string{"test_size": "small"}},
	{
		Key:   flow.Key{Proto: flow.TCP, Src: netip.MustParseAddrPort("[2001:db8::1]:50000"), Dst: netip.MustParseAddrPort("[2001:db8::2]:50001")},
		Owner: flow.Owner{PID: 7, Start: 8, Comm: "curl", UID: 1000}, Want: map[string]string{"test_size": "large"},
	},
	{Key: flow.Key{Proto: flow.ICMP, Subtype: 8 << 8}, Owner: flow.Owner{PID: 9, Comm: "ping"}},
	{Key: flow.Key{EtherType: 0x88cc}},
}

// TestFindsDefects: the suite accepts a correct label. The named check finds each defect.
func TestFindsDefects(t *testing.T) {
	for _, c := range []struct {
		defect
		check string // that must fail
		want  string // part of its error
	}{
		{"", "", ""},
		{"always", "", ""},
		{"rows only", "", ""},
		{"two names", "registration", `label "other" is registered, too`},
		{"no summary", "registration", "is not one line"},
		{"no New", "registration", "there is no New"},
		{"no field", "registration", "has no field"},
		{"toggle without usage", "registration", "has both or none"},
		{"bad toggle", "registration", "is not lower-case words"},
		{"lacks nothing", "registration", "from is 0"},
		{"needs no name", "registration", "is no name of a label"},
		{"needs itself", "registration", `it needs "test", which needs "test"`},
		{"needs in a circle", "registration", `it needs "other", which needs "test"`},
		{"needs twice", "registration", "twice"},
		{"unknown field", "fields", "is not registered"},
		{"no title", "fields", "title"},
		{"no help", "fields", "help"},
		{"own dimension", "fields", "dimension of its own"},
		{"groups by a number", "fields", "cannot be grouped by"},
		{"fills what is none", "fields", "is not a field of a label"},
		{"bad flag", "flags", `option "Loud_Mode"`},
		{"flag without usage", "flags", "has no usage"},
		{"refuses its default", "flags", "refuses its default"},
		{"shared config", "configs are independent", "the same config"},
		{"shared options", "configs are independent", "changed another"},
		{"wrong text", "records", `field test_size is "small", want "large"`},
		{"forgets the process", "records", `field pid is not the label's, and "7" became ""`},
		{"numbers everything", "records", "field test_size"},
		{"changes a record", "records", "it became"},
		{"numbers what is not groupable", "records", `field test_size is "small", want ""`},
		{"new numbers", "a flow keeps its number", "and later"},
		{"keeps numbers", "numbers that are given up", "field"},
		{"loses numbers", "no room for numbers", "became 0"},
		{"rows differ", "rows", `field test_size is "", want "small"`},
		{"panics on no rows", "rows", "panic: "},
		{"rows are shared", "rows at a time", "field test_size"},
		{"panics on odd keys", "hostile keys", "panic: "},
		{"second close fails", "closed twice", "close, call 2"},
		{"closed names", "closed twice", "after close"},
	} {
		t.Run(string(c.defect), func(t *testing.T) {
			labels := registry.New[registry.Label]("label")
			register(labels, c.defect)
			s := newSuite(Options{Name: "test", labels: labels, Cases: cases, Args: []string{"border=1024"}})
			for _, check := range checks {
				err := s.try(t.Context(), check.run)
				switch {
				case c.check == "" && err != nil:
					t.Errorf("%s rejects a correct label: %v", check.name, err)
				case c.check != check.name:
				case err == nil:
					t.Errorf("%s finds no defect", check.name)
				case !strings.Contains(err.Error(), c.want):
					t.Errorf("%s returned %q, want %q in it", check.name, err, c.want)
				}
			}
		})
	}
}

func register(labels *registry.Registry[registry.Label], d defect) {
	l := registry.Label{
		Summary: "how large ports are", Toggle: "size", Usage: "show how large ports are",
		Fields: []flow.Field{{Name: "test_size", Title: "Size", Help: "how large the port is", Kind: flow.Text, Groupable: true}},
		New:    func() registry.LabelConfig { return &config{defect: d, border: new(int)} },
	}
	switch d {
	case "always":
		l.Always = true
	case "rows only", "numbers what is not groupable":
		l.Fields[0].Groupable = false
	case "two names":
		labels.Register("other", l)
	case "no summary":
		l.Summary = ""
	case "no New":
		l.New = nil
	case "no field":
		l.Fields = nil
	case "toggle without usage":
		l.Usage = ""
	case "bad toggle":
		l.Toggle = "Size_"
	case "lacks nothing":
		l.Lacks = "something"
	case "needs no name":
		l.Needs = []string{"The others"}
	case "needs itself":
		l.Needs = []string{"test"}
	case "needs twice":
		l.Needs = []string{"process", "process"}
	case "needs in a circle":
		l.Needs = []string{"other"}
		labels.Register("other", registry.Label{Needs: []string{"test"}})
	case "shared config":
		c := &config{border: new(int)}
		l.New = func() registry.LabelConfig { return c }
	case "shared options":
		border := new(int)
		l.New = func() registry.LabelConfig { return &config{border: border} }
	}
	spoil(&l, d)
	labels.Register("test", l)
}

// spoil puts a defect into the label's fields.
func spoil(l *registry.Label, d defect) {
	switch d {
	case "unknown field":
		l.Fields[0].Name = "test_unknown"
	case "no title":
		l.Fields[0].Title = ""
	case "no help":
		l.Fields[0].Help = "Two\nlines."
	case "own dimension":
		l.Fields[0].Dim = flow.DimPID
	case "groups by a number":
		l.Fields[0].Kind = flow.Uint
	case "fills what is none":
		l.Fills = []string{"src_port"}
	}
}

type config struct {
	defect
	border *int
}

func (c *config) Flags(fs *flag.FlagSet) {
	usage := "smallest large port"
	if c.defect == "flag without usage" {
		usage = ""
	}
	fs.IntVar(c.border, "border", *c.border, usage)
	switch c.defect {
	case "bad flag":
		fs.Bool("Loud_Mode", false, usage)
	case "refuses its default":
		fs.Var(&picky{}, "picky", usage)
	}
}

// picky is a flag value that refuses every text.
type picky struct{}

func (*picky) String() string   { return "x" }
func (*picky) Set(string) error { return errors.New("refused") }

func (c *config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	return &labeler{defect: c.defect, border: uint16(*c.border), tuples: env.Tuples}, nil
}

type labeler struct {
	defect
	border  uint16
	tuples  registry.Tuples
	numbers map[known]uint32
	gen     uint64
	mu      sync.Mutex
	texts   []string // of all rows, shared between calls
	serial  uint64
	closed  bool
}

type known struct {
	before uint32
	text   string
}

func (l *labeler) text(k flow.Key) string {
	switch {
	case k.Proto != flow.TCP || k.EtherType != 0:
		return ""
	case l.defect == "wrong text" || min(k.Src.Port(), k.Dst.Port()) < l.border:
		return "small"
	}
	return "large"
}

func (l *labeler) Records(recs []flow.Record) {
	if l.defect == "rows only" {
		return
	}
	if g := l.tuples.Generation(); g != l.gen && l.defect != "keeps numbers" || l.numbers == nil {
		l.gen, l.numbers = g, map[known]uint32{}
	}
	for i := range recs {
		k := &recs[i].Key
		if l.defect == "changes a record" {
			recs[i].Packets++
		}
		if l.defect == "panics on odd keys" && k.L4Kind > flow.L4Subtype {
			panic("odd")
		}
		text := l.text(k.Key())
		if text == "" && l.defect != "numbers everything" {
			continue
		}
		of := known{k.OwnerID, text}
		id, ok := l.numbers[of]
		if !ok {
			if id = l.number(k.OwnerID, text); id == 0 && l.defect != "loses numbers" {
				continue
			}
			l.numbers[of] = id
		}
		k.OwnerID = id
	}
}

func (l *labeler) number(before uint32, text string) uint32 {
	o := l.tuples.Get(before)
	switch l.defect {
	case "forgets the process":
		o = flow.Owner{}
	case "new numbers":
		clear(l.numbers)
		l.serial++
		o.Start = l.serial
	case "numbers everything":
		text = "odd"
	}
	o.SetLabel(testField, text)
	return l.tuples.Number(&o)
}

func (l *labeler) Rows(rows []*flow.Row) {
	if l.defect == "panics on no rows" {
		_ = rows[0]
	}
	if l.defect == "rows differ" || l.closed && l.defect == "closed names" {
		return
	}
	for _, r := range rows {
		text := l.text(r.Key)
		if l.defect == "rows are shared" {
			text = l.shared(text)
		}
		if text != "" {
			r.Owner.SetLabel(testField, text)
		}
	}
}

// shared returns the text of another row, so that a call shows a value that an earlier call kept.
// The lock hides the race from the race detector, so the suite must find it.
func (l *labeler) shared(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == "" {
		return ""
	}
	l.texts = append(l.texts, text)
	return l.texts[0]
}

func (l *labeler) Close() error {
	if l.closed && l.defect == "second close fails" {
		return errors.New("closed twice")
	}
	l.closed = true
	return nil
}
