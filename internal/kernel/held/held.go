// Package held looks whether what a run has attached is attached still. It attaches again
// what other programs have taken off, and accounts for the time between.
package held

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Every is how often to look: a gap must end within a second.
const Every = 250 * time.Millisecond

// pause is the shortest time between two attempts to attach a thing again: another program
// may take it off all the time.
const pause = time.Second

// budget is how long one Look may attach things again, which takes 25 ms each where the
// kernel waits for RCU. The others have to wait for the next one.
const budget = 200 * time.Millisecond

// silence is the shortest time between two lines of what takes many Looks.
const silence = 10 * time.Second

// shown bounds how many things a line or the notes name.
const shown = 5

// Thing is something attached that other programs can take off, or switch off.
type Thing struct {
	Name func() string
	// Held reports whether it is attached and works.
	Held func() (bool, error)
	// Again attaches it again. Its error wraps [ErrGone] if there is nothing left to attach
	// to. Nil: there is nothing to do but to wait.
	Again func() error

	seen   time.Time // when it was last known to be attached
	tried  time.Time // when it was last attached again, or could not be
	late   bool      // it is off and waits for the next Look
	off    error     // why it is not attached again; nil: it is attached
	times  int       // how often it was found off
	missed time.Duration
}

// ErrGone is no error of a [Thing]: the caller says what has become of its target.
var ErrGone = errors.New("what it was attached to has gone")

var errWaiting = errors.New("waiting")

// Words are what a [Keeper] says, as formats.
type Words struct {
	Off    string // of names: "another program took pktstat off %s"
	Again  string // what was done about it: "attached again"
	Missed string // of a length of time: "up to %s was not counted"
	Until  string // of a time, or "here": "counted up to %s"
}

// TakenOff are the words of what counts packets.
var TakenOff = Words{
	Off: "another program took pktstat off %s", Again: "attached again",
	Missed: "up to %s was not counted", Until: "counted up to %s",
}

// Keeper looks after things. Its methods are not called at the same time.
type Keeper struct {
	words  Words
	now    func() time.Time
	notify func(format string, args ...any)
	debugf func(format string, args ...any)

	things []*Thing
	taken  []*Thing // the first that were found off: they stay when they are removed
	others tally    // of the other ones

	again, off round // to be said
	spoke      time.Time
}

// tally adds up things that the notes do not name.
type tally struct {
	things, times, off int
	longest            time.Duration
}

// New returns a keeper without things. It tells the user by notify.
func New(w Words, now func() time.Time, notify, debugf func(format string, args ...any)) *Keeper {
	return &Keeper{words: w, now: now, notify: notify, debugf: debugf}
}

// Add looks after a thing, which has just been attached.
func (k *Keeper) Add(t *Thing) {
	t.seen = k.now()
	k.things = append(k.things, t)
}

// Remove ends looking after things. The notes keep what became of them.
func (k *Keeper) Remove(ts ...*Thing) {
	if len(ts) > 0 {
		k.things = slices.DeleteFunc(k.things, func(t *Thing) bool { return slices.Contains(ts, t) })
	}
}

// Look looks at all things and attaches again what is off. It reports whether anything was
// off since the previous Look.
func (k *Keeper) Look() (gap bool) {
	end, late := k.now().Add(budget), false
	for _, t := range k.things {
		held, err := t.Held()
		gap = gap || !held || t.off != nil
		switch {
		case err != nil: // what is missed is reckoned from the last time that it was seen
			k.debugf("look whether %s is attached: %v", t.Name(), err)
		case held && t.off == nil && !t.late:
			t.seen = k.now()
		case held:
			k.returned(t)
		case !t.tried.IsZero() && k.now().Sub(t.tried) < pause:
		case k.now().After(end):
			t.late, late = true, true
		default:
			k.retry(t)
		}
	}
	// While many wait for the next Looks, there is a line now and then.
	if !late || k.now().Sub(k.spoke) >= silence {
		k.say(&k.again, k.words.Again+", "+fmt.Sprintf(k.words.Missed, length(k.again.longest)))
		k.say(&k.off, k.until("here", k.off.err))
		k.again, k.off = round{}, round{}
	}
	return gap
}

// retry attaches a thing again.
func (k *Keeper) retry(t *Thing) {
	err := errWaiting
	if t.Again != nil {
		err = t.Again()
	}
	t.tried, t.late = k.now(), false
	switch {
	case errors.Is(err, ErrGone):
	case err == nil:
		k.returned(t)
	case t.off == nil:
		k.found(t)
		k.off.add(t)
		t.off, k.off.err = err, err
		if !k.named(t) {
			k.others.off++
		}
	}
}

// returned takes note of a thing that is attached again.
func (k *Keeper) returned(t *Thing) {
	first := t.times == 0
	if t.off == nil {
		k.found(t)
	} else if !k.named(t) {
		k.others.off--
	}
	missed := k.now().Sub(t.seen)
	t.missed += missed
	t.seen = t.seen.Add(missed)
	if first || t.off != nil { // how often it happens is in the notes
		k.again.add(t)
	}
	k.again.longest = max(k.again.longest, missed)
	t.off, t.late = nil, false
	if !k.named(t) {
		k.others.longest = max(k.others.longest, t.missed)
	}
}

// found takes note of a thing that was found off.
func (k *Keeper) found(t *Thing) {
	t.times++
	if t.times == 1 {
		if len(k.taken) < shown {
			k.taken = append(k.taken, t)
		} else {
			k.others.things++
		}
	}
	if !k.named(t) {
		k.others.times++
	}
}

// named reports whether the notes name a thing.
func (k *Keeper) named(t *Thing) bool { return slices.Contains(k.taken, t) }

// round is what Looks find of things that had the same fate.
type round struct {
	names   []string // to be said
	longest time.Duration
	err     error // of the last of them
}

func (r *round) add(t *Thing) { r.names = append(r.names, t.Name()) }

// say tells the user in one line.
func (k *Keeper) say(r *round, rest string) {
	if len(r.names) == 0 {
		return
	}
	k.spoke = k.now()
	k.notify("%s: %s", fmt.Sprintf(k.words.Off, some(r.names)), rest)
}

// some are the first of names.
func some(names []string) string {
	s := strings.Join(names[:min(shown, len(names))], ", ")
	if n := len(names) - shown; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// until says that nothing is counted from then on.
func (k *Keeper) until(when string, why error) string {
	s := fmt.Sprintf(k.words.Until, when)
	if why != nil && !errors.Is(why, errWaiting) {
		s += ": attach again: " + why.Error()
	}
	return s
}

// Notes are what a reader of the report must know.
func (k *Keeper) Notes() []string {
	var notes []string
	for _, t := range k.taken {
		notes = append(notes, k.note(t))
	}
	if o := k.others; o.things > 0 {
		what := fmt.Sprintf(k.words.Off, fmt.Sprintf("%d more, %d times in all", o.things, o.times))
		notes = append(notes, fmt.Sprintf("%s: of each "+k.words.Missed, what, length(o.longest)))
		if o.off > 0 {
			notes[len(notes)-1] += fmt.Sprintf(", and nothing more of %d of them", o.off)
		}
	}
	var late []string
	var since time.Time
	for _, t := range k.things {
		if t.late {
			late = append(late, t.Name())
			since = t.seen
		}
	}
	if late != nil {
		notes = append(notes, fmt.Sprintf(k.words.Off, some(late))+": "+k.until(since.Format(time.TimeOnly), nil))
	}
	return notes
}

func (k *Keeper) note(t *Thing) string {
	what := fmt.Sprintf(k.words.Off, t.Name())
	if t.times > 1 {
		what += fmt.Sprintf(" %d times", t.times)
	}
	var rest []string
	if t.missed > 0 {
		rest = append(rest, k.words.Again+", "+fmt.Sprintf(k.words.Missed, length(t.missed)))
	}
	if t.off != nil {
		rest = append(rest, k.until(t.seen.Format(time.TimeOnly), t.off))
	}
	return what + ": " + strings.Join(rest, "; at last ")
}

// length is an upper bound.
func length(d time.Duration) string {
	const unit = 10 * time.Millisecond
	return fmt.Sprintf("%.2f s", (d + unit - 1).Truncate(unit).Seconds())
}

// Start calls look from a goroutine, until stop is called, which waits until that has ended.
func Start(look func()) (stop func()) {
	stopping, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(Every)
		defer tick.Stop()
		for {
			select {
			case <-stopping:
				return
			case <-tick.C:
				look()
			}
		}
	}()
	return func() {
		close(stopping)
		<-ended
	}
}
