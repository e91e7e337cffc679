package held_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/kernel/held"
)

// world is a keeper with a clock that the test sets.
type world struct {
	*held.Keeper
	now  time.Time
	said []string
}

func newWorld() *world {
	w := &world{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.Keeper = held.New(held.TakenOff, func() time.Time { return w.now },
		func(f string, a ...any) { w.said = append(w.said, fmt.Sprintf(f, a...)) }, func(string, ...any) {})
	return w
}

// look advances the clock and calls Look.
func (w *world) look(after time.Duration) (gap bool) {
	w.now = w.now.Add(after)
	return w.Look()
}

// check compares the new messages and the notes.
func (w *world) check(t *testing.T, said, notes []string) {
	t.Helper()
	if !slices.Equal(w.said, said) {
		t.Errorf("messages %q, want %q", w.said, said)
	}
	if got := w.Notes(); !slices.Equal(got, notes) {
		t.Errorf("notes %q, want %q", got, notes)
	}
	w.said = nil
}

// fake is a thing that tests detach.
type fake struct {
	off     bool
	refusal error // error of Again
	unknown error // error of Held
	again   int   // number of calls of Again
}

func (w *world) add(name string) *fake {
	f := &fake{}
	w.Add(f.thing(name))
	return f
}

func (f *fake) thing(name string) *held.Thing {
	return &held.Thing{
		Name: func() string { return name },
		Held: func() (bool, error) { return !f.off, f.unknown },
		Again: func() error {
			f.again++
			if f.refusal == nil {
				f.off = false
			}
			return f.refusal
		},
	}
}

func TestAgain(t *testing.T) {
	w := newWorld()
	a, b := w.add("a"), w.add("b")
	if w.look(time.Minute) {
		t.Error("Look reports a gap, but nothing is detached")
	}
	w.check(t, nil, nil)
	a.off, b.off = true, true
	if !w.look(251 * time.Millisecond) {
		t.Error("Look reports no gap")
	}
	w.check(t, []string{"another program detached pktstat from a, b: attached again, up to 0.26 s was not counted"}, []string{
		"another program detached pktstat from a: attached again, up to 0.26 s was not counted",
		"another program detached pktstat from b: attached again, up to 0.26 s was not counted",
	})
	if w.look(time.Minute) {
		t.Error("Look reports a gap twice")
	}
}

// TestFight: a thing that another program detaches all the time is attached again once a second.
// The user gets one message.
func TestFight(t *testing.T) {
	w := newWorld()
	a := w.add("a")
	const looks = 40
	for range looks {
		a.off = true
		if !w.look(250 * time.Millisecond) {
			t.Error("Look reports no gap")
		}
	}
	if a.again != looks/4 {
		t.Errorf("attached again %d times in ten seconds", a.again)
	}
	w.check(t, []string{"another program detached pktstat from a: attached again, up to 0.25 s was not counted"},
		[]string{"another program detached pktstat from a 10 times: attached again, up to 9.25 s was not counted"})
}

func TestRefused(t *testing.T) {
	w := newWorld()
	a := w.add("a")
	a.off, a.refusal = true, errors.New("taken by another one")
	until := w.now.Format(time.TimeOnly)
	for range 10 {
		if !w.look(500 * time.Millisecond) {
			t.Error("Look reports no gap")
		}
	}
	if a.again != 5 {
		t.Errorf("tried %d times in 5 s", a.again)
	}
	w.check(t, []string{"another program detached pktstat from a: counted up to now: cannot attach again: taken by another one"},
		[]string{"another program detached pktstat from a: counted up to " + until + ": cannot attach again: taken by another one"})
	a.refusal = nil
	w.look(time.Second)
	const again = "another program detached pktstat from a: attached again, up to 6.00 s was not counted"
	w.check(t, []string{again}, []string{again})

	a.off, a.refusal = true, errors.New("taken once more")
	w.look(time.Second)
	w.check(t, []string{"another program detached pktstat from a: counted up to now: cannot attach again: taken once more"},
		[]string{"another program detached pktstat from a 2 times: attached again, up to 6.00 s was not counted; then counted up to 12:00:06: cannot attach again: taken once more"})
}

// TestGone: a vanished target causes no message.
func TestGone(t *testing.T) {
	w := newWorld()
	a := w.add("a")
	a.off, a.refusal = true, fmt.Errorf("attach: %w", held.ErrGone)
	w.look(time.Second)
	w.look(time.Second)
	w.check(t, nil, nil)
}

// TestUnknown: the gap counts from the last successful check.
func TestUnknown(t *testing.T) {
	w := newWorld()
	a := w.add("a")
	a.unknown = errors.New("no answer")
	w.look(time.Second)
	a.unknown, a.off = nil, true
	w.look(time.Second)
	w.check(t, []string{"another program detached pktstat from a: attached again, up to 2.00 s was not counted"},
		[]string{"another program detached pktstat from a: attached again, up to 2.00 s was not counted"})
}

// TestWait: the keeper does not reattach a thing that was switched off.
func TestWait(t *testing.T) {
	w := newWorld()
	a := &fake{off: true}
	thing := a.thing("a")
	thing.Again = nil
	w.Add(thing)
	w.look(time.Second)
	w.look(time.Second)
	w.check(t, []string{"another program detached pktstat from a: counted up to now"},
		[]string{"another program detached pktstat from a: counted up to 12:00:00"})
	a.off = false
	w.look(time.Second)
	const again = "another program detached pktstat from a: attached again, up to 3.00 s was not counted"
	w.check(t, []string{again}, []string{again})
}

// TestMany: messages and notes name a few things and count the others.
func TestMany(t *testing.T) {
	w := newWorld()
	const n = 1000
	fakes := make([]*fake, n)
	for i := range fakes {
		fakes[i] = w.add(fmt.Sprint("i", i))
	}
	for range 2 {
		for _, f := range fakes {
			f.off = true
		}
		w.look(2 * time.Second)
	}
	fakes[n-1].off, fakes[n-1].refusal = true, errors.New("taken")
	w.look(2 * time.Second)
	said := w.said
	if len(said) != 2 || said[0] != "another program detached pktstat from i0, i1, i2, i3, i4 and 995 more: attached again, up to 2.00 s was not counted" {
		t.Errorf("messages %q", said)
	}
	notes := w.Notes()
	const others = "another program detached pktstat from 995 more, 1991 times in all: for each, up to 4.00 s was not counted; still detached: 1"
	if len(notes) != 6 || notes[5] != others || !strings.HasPrefix(notes[4], "another program detached pktstat from i4 2 times: ") {
		t.Errorf("notes %q", notes)
	}
}

// TestSlow: if attaching is slow, a Look still ends in time. The notes name the detached things.
// Two messages name all of them.
func TestSlow(t *testing.T) {
	w := newWorld()
	fakes := make([]*fake, 20)
	for i := range fakes {
		f := &fake{off: true}
		fakes[i] = f
		thing := f.thing(fmt.Sprint("i", i))
		again := thing.Again
		thing.Again = func() error {
			w.now = w.now.Add(50 * time.Millisecond)
			return again()
		}
		w.Add(thing)
	}
	began := w.now
	w.look(time.Second)
	if took := w.now.Sub(began) - time.Second; took > 300*time.Millisecond {
		t.Errorf("one Look took %s", took)
	}
	notes := w.Notes()
	const late = "another program detached pktstat from i5, i6, i7, i8, i9 and 10 more: counted up to 12:00:00"
	if len(notes) != 6 || notes[5] != late {
		t.Errorf("notes %q", notes)
	}
	for w.look(0) {
	}
	said := []string{
		"another program detached pktstat from i0, i1, i2, i3, i4: attached again, up to 1.25 s was not counted",
		"another program detached pktstat from i5, i6, i7, i8, i9 and 10 more: attached again, up to 2.00 s was not counted",
	}
	if !slices.Equal(w.said, said) {
		t.Errorf("messages %q, want %q", w.said, said)
	}
	for i, f := range fakes {
		if f.again != 1 {
			t.Errorf("i%d was attached again %d times", i, f.again)
		}
	}
}

// TestRemove: the notes still describe a removed thing.
func TestRemove(t *testing.T) {
	w := newWorld()
	a := &fake{}
	thing := a.thing("a")
	w.Add(thing)
	a.off = true
	w.look(time.Second)
	notes := w.Notes()
	w.Remove(thing)
	a.off = true
	if w.look(time.Second) {
		t.Error("Look reports a gap of a removed thing")
	}
	if a.again != 1 || !slices.Equal(w.Notes(), notes) || len(notes) != 1 {
		t.Errorf("attached again %d times, notes %q, before %q", a.again, w.Notes(), notes)
	}
}
