package testenv

import (
	"errors"
	"strings"
	"testing"
)

func TestFeature(t *testing.T) {
	missing := errors.New("no such thing")
	for _, c := range []struct {
		since, machine  string
		err             error
		skipped, failed string
	}{
		{since: "99.1", err: nil},
		{since: "99.1", err: missing, skipped: "needs Linux 99.1: x: no such thing"},
		{since: "99.1", machine: "6.1", err: missing, skipped: "needs Linux 99.1: x: no such thing"},
		{since: "2.6", err: missing, skipped: "without x: no such thing"},
		{since: "2.6", machine: "6.1", err: missing, failed: "Linux has"},
		{since: "2.6", machine: "6.1", err: nil},
	} {
		t.Setenv("PKTSTAT_KERNEL", c.machine)
		var v verdict
		Feature(&v, "x", c.since, func() error { return c.err })
		if (v.skipped == "") != (c.skipped == "") || !strings.Contains(v.skipped, c.skipped) ||
			(v.failed == "") != (c.failed == "") || !strings.HasPrefix(v.failed, c.failed) {
			t.Errorf("%+v: skipped %q, failed %q", c, v.skipped, v.failed)
		}
	}
}
