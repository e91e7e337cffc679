package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// checks are the rules for an output, in the order in which the suite checks them.
var checks = []check{
	{"registration", checkRegistration},
	{"flags", checkFlags},
	{"configs are independent", checkIndependence},
	{"open creates the target", checkCreate},
	{"failed create", checkFailedCreate},
	{"every run", checkEveryRun},
	{"written when write returns", checkFlushed},
	{"committed once", checkCommit},
	{"nothing committed without a final report", checkNoFinal},
	{"failed commit", checkFailedCommit},
	{"failed write", checkFailedWrite},
	{"reports are left alone", checkReportsUnchanged},
	{"reports are not kept", checkReportsNotKept},
	{"hostile text is inert", checkInert},
}

func checkCreate(s *suite) error {
	created := 0
	t := &target{limit: -1}
	o, err := s.open(t, func() (registry.Writer, error) { created++; return t, nil })
	if err != nil {
		return err
	}
	if created != 1 {
		return fmt.Errorf("open called env.Create %d times: an error in the target must end the run before it counts", created)
	}
	if err := o.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if created != 1 || t.aborts == 0 {
		return fmt.Errorf("closed without a report: %d targets created, %d aborted", created, t.aborts)
	}
	return nil
}

func checkFailedCreate(s *suite) error {
	refused := &fs.PathError{Op: "open", Path: "missing/.report.out123", Err: errTarget}
	_, err := s.open(nil, func() (registry.Writer, error) { return nil, refused })
	if !errors.Is(err, errTarget) {
		return fmt.Errorf("open returned %q, want the error of env.Create", text(err))
	}
	return nil
}

// checkEveryRun writes all kinds of reports twice, and compares the results.
func checkEveryRun(s *suite) error {
	for _, g := range Goldens() {
		first, err := s.render(g.Reports)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		if len(first) == 0 {
			return fmt.Errorf("%s: nothing was written", g.Name)
		}
		second, err := s.render(g.Reports)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		if !bytes.Equal(first, second) {
			return fmt.Errorf("%s: the same reports were written in two ways:\n%s\n%s", g.Name, first, second)
		}
	}
	return nil
}

// checkFlushed: the reader of a pipe must get each report at once.
func checkFlushed(s *suite) error {
	o, err := s.openTarget(-1)
	if err != nil {
		return err
	}
	before := 0
	for _, r := range golden("intervals").Reports {
		if !o.wants(r) {
			continue
		}
		if err := o.Write(context.Background(), r); err != nil {
			return fmt.Errorf("report %d: %w", r.Seq, err)
		}
		if s.Gathers && !r.Final {
			continue
		}
		if o.target.Len() <= before {
			return fmt.Errorf("report %d had not reached the target when write returned", r.Seq)
		}
		before = o.target.Len()
	}
	if err := o.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if o.target.Len() != before {
		return fmt.Errorf("close wrote %d bytes more: they belong to the final report", o.target.Len()-before)
	}
	return nil
}

func checkCommit(s *suite) error {
	o, err := s.openTarget(-1)
	if err != nil {
		return err
	}
	if err := o.writeAll(golden("intervals").Reports); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if o.target.commits != 0 {
		return errors.New("committed before close")
	}
	for i := range 2 {
		if err := o.Close(); err != nil {
			return fmt.Errorf("close, call %d: %w", i+1, err)
		}
		if o.target.commits != 1 {
			return fmt.Errorf("committed %d times after close, call %d", o.target.commits, i+1)
		}
	}
	return o.target.misuse
}

func checkNoFinal(s *suite) error {
	o, err := s.openTarget(-1)
	if err != nil {
		return err
	}
	reports := golden("intervals").Reports
	if err := o.writeAll(reports[:len(reports)-1]); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	for i := range 2 {
		if err := o.Close(); err != nil {
			return fmt.Errorf("close, call %d: %w", i+1, err)
		}
	}
	if o.target.commits != 0 || o.target.aborts == 0 {
		return fmt.Errorf("%d commits and %d aborts, want none and one", o.target.commits, o.target.aborts)
	}
	return o.target.misuse
}

func checkFailedCommit(s *suite) error {
	o, err := s.openTarget(-1)
	if err != nil {
		return err
	}
	o.target.commitErr = errTarget
	if err := o.writeAll(golden("mixed").Reports); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := o.Close(); !errors.Is(err, errTarget) {
		return fmt.Errorf("close returned %q, want the error of commit", text(err))
	}
	return nil
}

// checkFailedWrite makes the target fail after k bytes, for several k.
func checkFailedWrite(s *suite) error {
	runs := append(Goldens(), manyFlows())
	if s.variant.Name != "" {
		runs = []Golden{golden("intervals")} // the reports differ in content, not in how they are written
	}
	for _, g := range runs {
		out, err := s.render(g.Reports)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		places := 64
		if len(g.Reports[0].Packed) > 100 {
			places = 12 // enough to fail inside buffers and between them
		}
		step := max(1, len(out)/places)
		for k := 0; k < len(out); k += step {
			if err := s.failAt(g.Reports, k); err != nil {
				return fmt.Errorf("%s: target fails after %d of %d bytes: %w", g.Name, k, len(out), err)
			}
		}
		if err := s.failAt(g.Reports, len(out)-1); err != nil {
			return fmt.Errorf("%s: target fails at the last byte: %w", g.Name, err)
		}
	}
	return nil
}

func (s *suite) failAt(reports []*flow.Report, k int) error {
	o, err := s.openTarget(k)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	writeErr := o.writeAll(reports)
	if writeErr == nil {
		return errors.New("write returned nil")
	}
	if !errors.Is(writeErr, errTarget) {
		return fmt.Errorf("write returned %q, which does not wrap the target's error", text(writeErr))
	}
	// The engine stops at the first error. A sink must also handle another Write.
	if err := o.Write(context.Background(), reports[len(reports)-1]); err == nil {
		return errors.New("a later write returned nil")
	}
	if err := o.Close(); err != nil && !errors.Is(err, errTarget) {
		return fmt.Errorf("close: %w", err)
	}
	if o.target.commits != 0 {
		return errors.New("committed after a failed write")
	}
	return o.target.misuse
}

func checkReportsUnchanged(s *suite) error {
	for _, g := range Goldens() {
		before := clone(g.Reports)
		if _, err := s.render(g.Reports); err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		if !reflect.DeepEqual(before, g.Reports) {
			return fmt.Errorf("%s: the report was changed", g.Name)
		}
	}
	return nil
}

// checkReportsNotKept overwrites each report after Write has returned.
func checkReportsNotKept(s *suite) error {
	g := golden("intervals")
	want, err := s.render(g.Reports)
	if err != nil {
		return err
	}
	o, err := s.openTarget(-1)
	if err != nil {
		return err
	}
	for _, r := range clone(g.Reports) {
		if err := o.writeAll([]*flow.Report{r}); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		overwrite(r)
	}
	if err := o.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if !bytes.Equal(o.target.Bytes(), want) {
		return fmt.Errorf("reports that change after write has returned change the output:\n%s\nwant\n%s", o.target.Bytes(), want)
	}
	return nil
}

// checkInert finds control sequences that a terminal would act on, and line breaks inside names.
func checkInert(s *suite) error {
	lines := map[string]int{}
	for _, g := range Goldens() {
		out, err := s.render(g.Reports)
		if err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
		lines[g.Name] = bytes.Count(out, []byte("\n"))
		for i := 0; i < len(out); {
			r, n := utf8.DecodeRune(out[i:])
			if r == utf8.RuneError && n == 1 || r != '\n' && !strconv.IsPrint(r) {
				return fmt.Errorf("%s: %+q at byte %d: %q", g.Name, out[i:i+n], i, context20(out, i))
			}
			i += n
		}
	}
	if lines["hostile"] != lines["harmless"] {
		return fmt.Errorf("%d lines with hostile names, %d with harmless ones", lines["hostile"], lines["harmless"])
	}
	return nil
}

func context20(b []byte, i int) []byte { return b[max(0, i-20):min(len(b), i+20)] }

func text(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}
