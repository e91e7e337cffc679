package coverage

import (
	"maps"
	"os"
	"testing"
)

// TestBacklogs reads the kernel's own file, and a CPU that has packets to process.
func TestBacklogs(t *testing.T) {
	if all := backlogs(os.ReadFile(softnetStat)); len(all) == 0 {
		t.Errorf("no CPU in %s", softnetStat)
	}
	text := func(processed, waiting string) map[uint64]backlog {
		const zeros = " 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
		return backlogs([]byte("0000"+processed+zeros+" 0000000"+waiting+" 00000003\n"), nil)
	}
	first := text("fff0", "5")
	if want := map[uint64]backlog{3: {5, 0xfff0}}; !maps.Equal(first, want) {
		t.Fatalf("%v, want %v", first, want)
	}
	for _, c := range []struct {
		before, processed, waiting string
		want                       bool
	}{{"5", "fff0", "5", false}, {"5", "fff4", "9", false}, {"5", "fff5", "9", true}, {"5", "fff1", "0", false}, {"0", "fff1", "0", true}} {
		if got := passed(first, text("fff0", c.before), text(c.processed, c.waiting)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for waiting, want := range map[string]uint32{"9": 9, "0": 5} {
		if both := since(first, text("fff2", waiting)); both[3] != (backlog{want, 0xfff2}) {
			t.Errorf("two readings: %v", both)
		}
	}
	if old := backlogs([]byte("00000001 00000000\n"), nil); old != nil {
		t.Errorf("a kernel without lengths: %v", old)
	}
}
