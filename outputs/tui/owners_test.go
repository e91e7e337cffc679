package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

var (
	nginx  = flow.Owner{PID: 10, Start: 1, Comm: "nginx", UID: 33, CgroupID: 5, Cgroup: "/docker/0123", Container: "docker:web"}
	worker = flow.Owner{PID: 11, Start: 2, Comm: "nginx", UID: 33, CgroupID: 6, Cgroup: "/docker/0123/a", Container: "docker:web"}
	curl   = flow.Owner{PID: 12, Start: 3, Comm: "curl", UID: 1000, CgroupID: 7, Cgroup: "/user.slice"}
	// moved is nginx after a move to another cgroup.
	moved = flow.Owner{PID: 10, Start: 1, Comm: "nginx", UID: 33, CgroupID: 8, Cgroup: "/new"}
	// reused has the PID of nginx, after its end.
	reused = flow.Owner{PID: 10, Start: 9, Comm: "sh\x1b[2J", CgroupID: 7, Cgroup: "/user.slice"}
)

// rowsOf formats the owners and bytes of a view's rows.
func rowsOf(m *model, view string) string {
	for _, v := range m.views {
		if v.name == view {
			m.open(v)
		}
	}
	m.list.cumulative = true
	m.refresh()
	var rows []string
	for i := range m.list.rows {
		r := &m.list.rows[i]
		m.cell.set(&m.list, r)
		var b []byte
		for _, c := range m.list.view.columns {
			if !c.numeric() {
				b = append(c.appendText(b, &m.cell), ' ')
			}
		}
		rows = append(rows, fmt.Sprint(string(b), r.total.Bytes))
	}
	slices.Sort(rows)
	return strings.Join(rows, "; ")
}

// TestOwners: rows are grouped by process and by container. An owner's number is valid only in its
// report.
func TestOwners(t *testing.T) {
	talks := make([]talk, 7)
	for i := range talks {
		talks[i] = talk{flowKey(flow.TCP, fmt.Sprintf("192.0.2.%d:1", i+1), "192.0.2.99:443", flow.Egress), always(uint64(1000 << i))}
		talks[i].key.OwnerID = uint32(i)
	}
	w := newNetwork(talks)
	w.base.Owners = map[uint32]flow.Owner{1: nginx, 2: worker, 3: curl, 4: moved, 5: reused, 6: nginx}
	m := newModel(newStore(), newTheme(false), format{})
	report(m, w.next())
	const processes = "- - - - 1000; curl 12 1000 /user.slice 8000; nginx 10 33 %s 82000; nginx 11 33 docker:web 4000; sh\\x1b[2J 10 0 /user.slice 32000"
	got := rowsOf(m, "Processes")
	if got != fmt.Sprintf(processes, "/new") && got != fmt.Sprintf(processes, "docker:web") { // the row has either of them
		t.Errorf("processes: %s", got)
	}
	if got, want := rowsOf(m, "Containers"), "- 1000; /new 16000; /user.slice 40000; docker:web 70000"; got != want {
		t.Errorf("containers: %s, want %s", got, want)
	}

	// The ledger has reused the numbers.
	next := newNetwork(talks[1:3])
	next.n = 1
	next.talks = slices.Clone(next.talks)
	next.talks[0].key.Src, next.talks[1].key.Src = talks[5].key.Src, talks[6].key.Src
	next.base.Owners = map[uint32]flow.Owner{1: reused, 2: nginx}
	report(m, next.next())
	if got, want := rowsOf(m, "Containers"), "- 1000; /new 16000; /user.slice 10000; docker:web 10000"; got != want {
		t.Errorf("containers after the ledger reused numbers: %s, want %s", got, want)
	}
}
