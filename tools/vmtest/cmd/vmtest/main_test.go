package main

import (
	"reflect"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/tools/vmtest"
)

// TestChoosePackages: a named package runs with every row of the matrix for the kernel.
func TestChoosePackages(t *testing.T) {
	for _, k := range vmtest.Kernels {
		for _, dir := range dirsOfMatrix() {
			var want []vmtest.Package
			all := slices.DeleteFunc(slices.Clone(vmtest.Packages), func(p vmtest.Package) bool { return p.Dir != dir })
			for _, p := range all {
				if p.RunsOn(k) {
					want = append(want, p)
				}
			}
			if len(want) == 0 {
				want = all
			}
			got, err := choosePackages([]string{"./" + dir}, []vmtest.Kernel{k})
			if err != nil || len(got) != len(want) {
				t.Errorf("%s on %s: %d rows, %v; want %d", dir, k.Name, len(got), err, len(want))
				continue
			}
			for i, p := range got {
				if !p.RunsOn(k) {
					t.Errorf("%s on %s: row %d does not run", dir, k.Name, i)
				}
				p.Kernels, p.Arch = want[i].Kernels, want[i].Arch
				if !reflect.DeepEqual(p, want[i]) {
					t.Errorf("%s on %s: row %d is %+v, want %+v", dir, k.Name, i, p, want[i])
				}
			}
		}
	}
}

func dirsOfMatrix() []string {
	var dirs []string
	for _, p := range vmtest.Packages {
		if !slices.Contains(dirs, p.Dir) {
			dirs = append(dirs, p.Dir)
		}
	}
	return dirs
}

// TestRowsOn: with several kernels, each has its own rows.
func TestRowsOn(t *testing.T) {
	var (
		old     = vmtest.Kernel{Name: "old", Arch: vmtest.AMD64}
		last    = vmtest.Kernel{Name: "last", Arch: vmtest.AMD64}
		arm     = vmtest.Kernel{Name: "arm", Arch: vmtest.ARM64}
		kernels = []vmtest.Kernel{old, last, arm}
	)
	for name, c := range map[string]struct {
		kernels []vmtest.Kernel
		rows    []vmtest.Package
		want    [][]string // kernels of the rows
	}{
		"one each": {kernels, []vmtest.Package{{Kernels: []string{"old"}}, {Arch: vmtest.ARM64}}, [][]string{{"old", "last"}, {"last", "arm"}}},
		"two":      {kernels[1:2], []vmtest.Package{{Arch: vmtest.AMD64}, {Kernels: []string{"last"}}}, [][]string{{"last"}, {"last"}}},
		"other":    {kernels[2:], []vmtest.Package{{Arch: vmtest.AMD64}, {Kernels: []string{"last"}}}, [][]string{{"arm"}, {"arm"}}},
		"not here": {kernels[:1], []vmtest.Package{{Arch: vmtest.AMD64}, {Kernels: []string{"last"}}}, [][]string{{"old"}}},
		"any":      {kernels, []vmtest.Package{{}}, [][]string{{"old", "last", "arm"}}},
	} {
		var got [][]string
		for _, p := range rowsOn(c.kernels, c.rows) {
			got = append(got, p.Kernels)
			if p.Arch != "" {
				t.Errorf("%s: a row is only for %s", name, p.Arch)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestChooseOtherPackages(t *testing.T) {
	got, err := choosePackages([]string{"no/row/"}, vmtest.Kernels)
	if err != nil || len(got) != 1 || got[0].Dir != "no/row" || len(got[0].Kernels) != len(vmtest.Kernels) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := choosePackages(nil, vmtest.Kernels); err != nil || !reflect.DeepEqual(got, vmtest.Packages) {
		t.Errorf("no directory: %+v, %v", got, err)
	}
	for _, bad := range []string{"../x", "/x"} {
		if got, err := choosePackages([]string{bad}, vmtest.Kernels); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}
