package linuxversion

import "testing"

func TestParse(t *testing.T) {
	for release, want := range map[string]Version{
		"5.10.0-46-cloud-amd64":      {5, 10},
		"6.12.107+deb13-cloud-amd64": {6, 12},
		"7.3-rc1":                    {7, 3},
		"6.6":                        {6, 6},
		"10.0+":                      {10, 0},
	} {
		if got, err := Parse(release); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", release, got, err, want)
		}
	}
	for _, release := range []string{"", "6", "6.", "six.1", "6.x"} {
		if got, err := Parse(release); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", release, got)
		}
	}
}

func TestBefore(t *testing.T) {
	order := []Version{{4, 18}, {5, 4}, {5, 10}, {6, 1}, {6, 6}, {6, 12}, {7, 0}}
	for i, a := range order {
		for k, b := range order {
			if got := a.Before(b); got != (i < k) {
				t.Errorf("%v before %v: %v", a, b, got)
			}
		}
	}
}

func TestRunning(t *testing.T) {
	if v, err := Running(); err != nil || v.Before(Version{4, 0}) {
		t.Errorf("Running() = %v, %v", v, err)
	}
}
