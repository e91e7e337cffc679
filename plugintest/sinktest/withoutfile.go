package sinktest

import (
	"errors"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// checksWithoutFile are the rules for outputs whose target is not a file.
var checksWithoutFile = []check{
	{"registration", checkRegistration},
	{"flags", checkFlags},
	{"configs are independent", checkIndependence},
	{"no file is created", checkNoFile},
	{"every run is taken", checkEveryRunTaken},
	{"ends without a final report", checkEndsEarly},
	{"reports are left alone", checkReportsUnchanged},
}

// checkNoFile: the output must not create a file with the target's name.
func checkNoFile(s *suite) error {
	created := 0
	refused := errors.New("the target is no file")
	o, err := s.open(&target{}, func() (registry.Writer, error) { created++; return nil, refused })
	if err == nil {
		err = errors.Join(o.writeAll(golden("intervals").Reports), o.Close())
	}
	if created > 0 {
		return fmt.Errorf("env.Create was called %d times", created)
	}
	return err
}

// checkEveryRunTaken writes all kinds of reports.
func checkEveryRunTaken(s *suite) error {
	for _, g := range append(Goldens(), manyFlows()) {
		if err := s.take(g.Reports); err != nil {
			return fmt.Errorf("%s: %w", g.Name, err)
		}
	}
	return nil
}

func checkEndsEarly(s *suite) error {
	reports := golden("intervals").Reports
	for n := range reports {
		if err := s.take(reports[:n]); err != nil {
			return fmt.Errorf("after %d interval reports: %w", n, err)
		}
	}
	return nil
}

// take opens the output, writes reports, and closes it twice.
func (s *suite) take(reports []*flow.Report) error {
	o, err := s.openTarget(-1)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := o.writeAll(reports); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	for i := range 2 {
		if err := o.Close(); err != nil {
			return fmt.Errorf("close, call %d: %w", i+1, err)
		}
	}
	return nil
}
