package sinktest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// defect is an error in a sink; "" is none.
type defect string

// The suite accepts a correct output. The named check finds each defect.
func TestFindsDefects(t *testing.T) {
	for _, c := range []struct {
		defect
		check string // that must fail
		want  string // part of its error
	}{
		{"", "", ""},
		{"two names", "registration", `registered outputs are ["other" "test"]`},
		{"no summary", "registration", "is not one line"},
		{"never", "registration", "none of WhenFinal"},
		{"bad shorthand", "registration", `option "nothing" does not exist`},
		{"shorthand of two letters", "registration", "is not one letter"},
		{"bad flag", "flags", `option "Loud_Mode"`},
		{"flag without usage", "flags", "has no usage"},
		{"shared config", "configs are independent", "the same config"},
		{"shared options", "configs are independent", "changed another"},
		{"creates late", "open creates the target", "called env.Create 0 times"},
		{"leaks the target", "open creates the target", "0 aborted"},
		{"hides the create error", "failed create", "want the error of env.Create"},
		{"panics on empty reports", "every run", "panic: "},
		{"writes in random order", "every run", "in two ways"},
		{"writes nothing", "every run", "nothing was written"},
		{"writes at close", "written when write returns", "had not reached the target"},
		{"trailer at close", "written when write returns", "close wrote"},
		{"commits early", "committed once", "committed before close"},
		{"commits twice", "committed once", "committed 2 times"},
		{"commits never", "committed once", "committed 0 times"},
		{"second close fails", "committed once", "close, call 2"},
		{"commits always", "nothing committed without a final report", "1 commits and 0 aborts"},
		{"hides the commit error", "failed commit", "want the error of commit"},
		{"ignores write errors", "failed write", "write returned nil"},
		{"hides the write error", "failed write", "does not wrap"},
		{"panics on write errors", "failed write", "panic: "},
		{"forgets write errors", "failed write", "a later write returned nil"},
		{"changes the report", "reports are left alone", "was changed"},
		{"changes a row", "reports are left alone", "was changed"},
		{"keeps the report", "reports are not kept", "change the output"},
		{"raw text", "hostile text is inert", `\x1b`},
		{"raw lines", "hostile text is inert", "lines with hostile names"},
	} {
		t.Run(string(c.defect), func(t *testing.T) {
			outputs := registry.New[registry.Output]("output")
			register(outputs, c.defect)
			for _, s := range suites(Options{
				Name: "test", outputs: outputs,
				Variants: []Variant{{Name: "loud", Args: []string{"loud=true"}}},
			}) {
				for _, check := range checks {
					err := s.try(check.run)
					switch {
					case c.check == "" && err != nil:
						t.Errorf("%s: %s rejects a correct output: %v", s.variant.Name, check.name, err)
					case c.check != check.name || s.variant.Name == "":
					case err == nil:
						t.Errorf("%s finds no defect", check.name)
					case !strings.Contains(err.Error(), c.want):
						t.Errorf("%s returned %q, want %q in it", check.name, err, c.want)
					}
				}
			}
		})
	}
}

// The checks for outputs without a file also find each defect.
func TestFindsDefectsWithoutFile(t *testing.T) {
	for _, c := range []struct {
		defect
		check string
		want  string
	}{
		{"", "", ""},
		{"creates a file", "no file is created", "called 1 times"},
		{"panics on empty reports", "every run is taken", "panic: "},
		{"second close fails", "ends without a final report", "close, call 2"},
		{"changes the report", "reports are left alone", "was changed"},
	} {
		t.Run(string(c.defect), func(t *testing.T) {
			outputs := registry.New[registry.Output]("output")
			outputs.Register("test", registry.Output{
				Summary: "shows reports", When: registry.WhenInterval | registry.WhenFinal,
				New: func() registry.OutputConfig { return &fileless{defect: c.defect} },
			})
			s := suites(Options{Name: "test", Target: "127.0.0.1:0", outputs: outputs})[0]
			for _, check := range s.checks() {
				err := s.try(check.run)
				switch {
				case c.check == "" && err != nil:
					t.Errorf("%s rejects a correct output: %v", check.name, err)
				case c.check != check.name:
				case err == nil || !strings.Contains(err.Error(), c.want):
					t.Errorf("%s returned %v, want %q in it", check.name, err, c.want)
				}
			}
		})
	}
}

// fileless is an output without a file.
type fileless struct {
	defect
	closed bool
}

func (*fileless) Flags(*flag.FlagSet) {}

func (f *fileless) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	if env.Target != "127.0.0.1:0" {
		return nil, fmt.Errorf("the target is %q", env.Target)
	}
	if f.defect == "creates a file" {
		_, _ = env.Create()
	}
	return f, nil
}

func (f *fileless) Write(_ context.Context, r *flow.Report) error {
	switch f.defect {
	case "panics on empty reports":
		_ = r.Packed[0]
	case "changes the report":
		r.Seq++
	}
	return nil
}

func (f *fileless) Close() error {
	if f.closed && f.defect == "second close fails" {
		return errors.New("closed twice")
	}
	f.closed = true
	return nil
}

func register(outputs *registry.Registry[registry.Output], d defect) {
	opened := 0
	out := registry.Output{
		Summary: "one line a flow", When: registry.WhenInterval | registry.WhenFinal,
		Shorthands: []registry.Shorthand{{Name: "x", Long: "test", Option: "loud", Usage: "test loudly"}},
		New:        func() registry.OutputConfig { return &config{defect: d, loud: new(bool), opened: &opened} },
	}
	switch d {
	case "two names":
		outputs.Register("other", out)
	case "no summary":
		out.Summary = ""
	case "never":
		out.When = 0
	case "bad shorthand":
		out.Shorthands[0].Option = "nothing"
	case "shorthand of two letters":
		out.Shorthands[0].Name = "xx"
	case "shared config":
		c := &config{loud: new(bool), opened: &opened}
		out.New = func() registry.OutputConfig { return c }
	case "shared options":
		loud := new(bool)
		out.New = func() registry.OutputConfig { return &config{loud: loud, opened: &opened} }
	}
	outputs.Register("test", out)
}

type config struct {
	defect
	loud   *bool
	opened *int // number of sinks
}

func (c *config) Flags(fs *flag.FlagSet) {
	usage := "twice the text"
	if c.defect == "flag without usage" {
		usage = ""
	}
	fs.BoolVar(c.loud, "loud", *c.loud, usage)
	if c.defect == "bad flag" {
		fs.Bool("Loud_Mode", false, usage)
	}
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	*c.opened++
	s := &sink{defect: c.defect, loud: *c.loud, create: env.Create, serial: *c.opened}
	if c.defect == "creates late" {
		return s, nil
	}
	w, err := env.Create()
	if err != nil {
		if c.defect == "hides the create error" {
			return nil, errors.New("output test: " + err.Error())
		}
		return nil, fmt.Errorf("output test: %w", err)
	}
	s.w = w
	return s, nil
}

type sink struct {
	defect
	loud   bool
	serial int
	create func() (registry.Writer, error)
	w      registry.Writer
	err    error
	final  bool
	closed bool
	last   *flow.Report
	text   strings.Builder // not yet written
}

func (s *sink) Write(_ context.Context, r *flow.Report) error {
	if s.err != nil && s.defect != "forgets write errors" {
		return s.err
	}
	if s.w == nil {
		s.w, s.err = s.create()
	}
	s.render(r)
	s.final = r.Final
	switch s.defect {
	case "writes at close":
		return nil
	case "writes nothing":
		s.text.Reset()
	case "changes the report":
		r.Seq++
	case "changes a row":
		for _, p := range r.Packed {
			p.Delta.Packets++
		}
	case "keeps the report":
		s.last, s.final = r, r.Final
	case "commits early":
		s.closed = r.Final
		defer func() { _ = s.w.Commit() }()
	}
	return s.flush()
}

func (s *sink) flush() error {
	_, err := s.w.Write([]byte(s.text.String()))
	s.text.Reset()
	if err == nil || s.defect == "ignores write errors" {
		return nil
	}
	switch s.defect {
	case "hides the write error":
		err = errors.New(err.Error())
	case "panics on write errors":
		panic(err)
	case "forgets write errors":
		s.w = &target{limit: -1}
	}
	s.err = fmt.Errorf("output test: %w", err)
	return s.err
}

func (s *sink) render(r *flow.Report) {
	if s.defect == "panics on empty reports" {
		_ = r.Packed[0]
	}
	if s.last != nil {
		fmt.Fprintf(&s.text, "before: %s\n", s.last.Backend)
	}
	if s.defect == "writes in random order" {
		fmt.Fprintf(&s.text, "%d\n", s.serial) // different on every run of the test, on purpose
	}
	for row := range r.Rows() {
		iface := fmt.Sprintf("%+q", row.Iface)
		switch s.defect {
		case "raw text":
			iface = row.Iface
		case "raw lines":
			iface = strings.ReplaceAll(iface, `\n`, "\n")
		}
		for range s.times() {
			fmt.Fprintf(&s.text, "%s %s %d\n", iface, row.Protocol(), row.Packets)
		}
	}
	fmt.Fprintf(&s.text, "total %d\n", r.Total.Packets)
}

func (s *sink) times() int {
	if s.loud {
		return 2
	}
	return 1
}

func (s *sink) Close() error {
	if s.closed {
		switch s.defect {
		case "second close fails":
			return errors.New("closed twice")
		case "commits twice":
			return s.w.Commit()
		}
		return nil
	}
	s.closed = true
	if s.w == nil {
		return nil
	}
	switch s.defect {
	case "leaks the target", "commits never":
		return nil
	case "trailer at close":
		s.text.WriteString("bye\n")
		s.err = s.flush()
	case "writes at close":
		s.err = s.flush()
	}
	if (s.err == nil && s.final) || s.defect == "commits always" {
		if err := s.w.Commit(); err != nil && s.defect != "hides the commit error" {
			return fmt.Errorf("output test: %w", err)
		}
		return nil
	}
	return s.w.Abort()
}

// The shared reports keep the engine's rules for reports.
func TestGoldensAreConserving(t *testing.T) {
	names := map[string]bool{}
	for _, g := range append(Goldens(), manyFlows()) {
		if names[g.Name] {
			t.Errorf("two runs are named %s", g.Name)
		}
		names[g.Name] = true
		for i, r := range g.Reports {
			sum := r.Rest
			sum.Add(r.Overflow)
			if r.OverflowBy.Total() != r.Overflow.Counters {
				t.Errorf("%s: overflow is %+v, by reason %+v", g.Name, r.Overflow, r.OverflowBy)
			}
			sum.Add(r.Lost)
			for row := range r.Rows() {
				sum.Add(row.Totals)
			}
			if copies := r.Dims.Copies(); copies > 1 {
				if sum.Out != r.Total.Out || sum.In != r.Total.In || sum.Packets != copies*r.Total.Packets {
					t.Errorf("%s %d: the hosts' sums are %v, total %v", g.Name, i, sum, r.Total)
				}
			} else if sum != r.Total {
				t.Errorf("%s %d: flows + rest + overflow + lost = %v, total %v", g.Name, i, sum, r.Total)
			}
			if r.Final != (i == len(g.Reports)-1) {
				t.Errorf("%s %d: final is %v", g.Name, i, r.Final)
			}
			if r.FlowCount < len(r.Packed) {
				t.Errorf("%s %d: %d flows, %d rows", g.Name, i, r.FlowCount, len(r.Packed))
			}
		}
	}
}
