package testenv

import (
	"fmt"
	"strings"
	"testing"
)

// verdict records how a test ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()                   {}
func (v *verdict) Skip(args ...any)          { v.skipped = fmt.Sprint(args...) }
func (v *verdict) Fatalf(f string, a ...any) { v.failed = fmt.Sprintf(f, a...) }

func TestMissingSkipsHereAndFailsInCI(t *testing.T) {
	t.Setenv("CI", "")
	var v verdict
	Missing(&v, "needs x")
	if v.skipped != "needs x" || v.failed != "" {
		t.Errorf("without CI: skipped %q, failed %q", v.skipped, v.failed)
	}
	for _, ci := range []string{"true", "1"} {
		t.Setenv("CI", ci)
		v = verdict{}
		Missing(&v, "needs x")
		if v.failed == "" {
			t.Errorf("CI=%s: skipped %q, want a failure", ci, v.skipped)
		}
	}
}

func TestTool(t *testing.T) {
	t.Setenv("CI", "")
	var v verdict
	if path := Tool(&v, "sh", "dash"); !strings.HasSuffix(path, "/sh") || v.skipped != "" {
		t.Errorf("sh is at %q, skipped %q", path, v.skipped)
	}
	Tool(&v, "no-such-program", "no-such-package")
	if want := "needs no-such-program: apt-get install no-such-package"; v.skipped != want {
		t.Errorf("skipped %q, want %q", v.skipped, want)
	}
}
