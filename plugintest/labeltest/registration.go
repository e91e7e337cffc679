package labeltest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

var (
	validName   = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	validOption = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// checkRegistration: importing the label registers it, and no label except those in its Needs.
func checkRegistration(_ context.Context, s *suite) error {
	l, err := s.label()
	if err != nil {
		return err
	}
	for name := range s.labels.All() {
		if name != s.Name && !slices.Contains(l.Needs, name) {
			return fmt.Errorf("label %q is registered, too: it is not in Needs of %q", name, s.Name)
		}
	}
	switch {
	case l.New == nil:
		return errors.New("there is no New")
	case !isLine(l.Summary):
		return fmt.Errorf("summary %q is not one line without a full stop", l.Summary)
	case len(l.Fields)+len(l.Fills) == 0:
		return errors.New("it has no field")
	case (l.Toggle == "") != (l.Usage == ""):
		return fmt.Errorf("toggle is %q and usage is %q: a label has both or none", l.Toggle, l.Usage)
	case l.Toggle != "" && !validOption.MatchString(l.Toggle):
		return fmt.Errorf("toggle %q is not lower-case words joined by -", l.Toggle)
	case (l.From == 0) != (l.Lacks == ""):
		return fmt.Errorf("from is %b and lacks is %q: a label has both or none", l.From, l.Lacks)
	}
	return checkNeeds(s, l)
}

func isLine(s string) bool {
	return s != "" && !strings.ContainsAny(s, "\r\n") && !strings.HasSuffix(s, ".")
}

// checkNeeds: Needs has valid names, and no label in it needs this label.
func checkNeeds(s *suite, l registry.Label) error {
	for i, name := range l.Needs {
		switch {
		case !validName.MatchString(name):
			return fmt.Errorf("it needs %q, which is no name of a label", name)
		case slices.Contains(l.Needs[:i], name):
			return fmt.Errorf("it needs %q twice", name)
		case s.reaches(name, s.Name, nil):
			return fmt.Errorf("it needs %q, which needs %q", name, s.Name)
		}
	}
	return nil
}

// reaches reports whether name is other, or needs it directly or indirectly.
func (s *suite) reaches(name, other string, seen []string) bool {
	if name == other {
		return true
	}
	l, err := s.labels.Lookup(name)
	if err != nil || slices.Contains(seen, name) {
		return false // declared in another package, which this test does not import
	}
	return slices.ContainsFunc(l.Needs, func(n string) bool { return s.reaches(n, other, append(seen, name)) })
}

// checkFields: every field is in the table of fields, and outputs can write it.
func checkFields(_ context.Context, s *suite) error {
	l, err := s.label()
	if err != nil {
		return err
	}
	for i := range l.Fields {
		if err := checkField(&l.Fields[i]); err != nil {
			return fmt.Errorf("field %q: %w", l.Fields[i].Name, err)
		}
	}
	for _, name := range l.Fills {
		if f := flow.Fields.Find(name); f == nil || f.Role != flow.Label || f.Name != name {
			return fmt.Errorf("fills %q, which is not a field of a label", name)
		}
	}
	return nil
}

func checkField(f *flow.Field) error {
	in := flow.Fields.Find(f.Name)
	switch {
	case in == nil || in.Role != flow.Label:
		return errors.New("is not registered as a field of a label")
	case !isLine(f.Title):
		return fmt.Errorf("title %q is not one line without a full stop", f.Title)
	case !isLine(f.Help):
		return fmt.Errorf("help %q is not one line without a full stop", f.Help)
	case f.Dim != 0:
		return errors.New("has a dimension of its own: Groupable gives it one")
	case f.Groupable && (f.Kind != flow.Text || f.Text != nil):
		return errors.New("rows cannot be grouped by it: only a Text field without an accessor is groupable")
	}
	if !readable(in) {
		return fmt.Errorf("has no accessor for its kind, %v", f.Kind)
	}
	return nil
}

// readable reports whether the field has the accessor of its kind.
func readable(f *flow.Field) bool {
	switch f.Kind {
	case flow.Text, flow.Word:
		return f.Text != nil
	case flow.Flags:
		return f.Text != nil && f.Num != nil
	case flow.Addr:
		return f.Addr != nil
	case flow.Time:
		return f.Time != nil
	}
	return f.Num != nil
}

// checkFlags: every option has a usage text and accepts its default.
func checkFlags(_ context.Context, s *suite) (err error) {
	l, err := s.label()
	if err != nil {
		return err
	}
	fs := flagsOf(l.New())
	fs.VisitAll(func(f *flag.Flag) {
		switch {
		case err != nil:
		case !validOption.MatchString(f.Name):
			err = fmt.Errorf("option %q is not lower-case words joined by -", f.Name)
		case f.Usage == "":
			err = fmt.Errorf("option %s has no usage", f.Name)
		case f.DefValue != "":
			if setErr := fs.Set(f.Name, f.DefValue); setErr != nil {
				err = fmt.Errorf("option %s refuses its default %q: %w", f.Name, f.DefValue, setErr)
			}
		}
	})
	return err
}

// checkIndependence: setting an option in one config does not change another config.
func checkIndependence(_ context.Context, s *suite) error {
	l, err := s.label()
	if err != nil {
		return err
	}
	a, b := l.New(), l.New()
	if a == nil || b == nil {
		return errors.New("new returns nil")
	}
	flags := flagsOf(b)
	before := values(flags)
	if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && v.Elem().Type().Size() > 0 && v.Pointer() == reflect.ValueOf(b).Pointer() {
		return errors.New("two calls of New return the same config")
	}
	if err := setFlags(a, s.Args); err != nil {
		return err
	}
	if after := values(flags); !reflect.DeepEqual(before, after) {
		return fmt.Errorf("options set in one config changed another: %v became %v", before, after)
	}
	return nil
}

func values(fs *flag.FlagSet) map[string]string {
	v := map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { v[f.Name] = f.Value.String() })
	return v
}
