// Package held checks whether the attachments of a run still exist. It reattaches what other
// programs have detached, and measures the gaps.
package held

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Every is the time between two checks, so that a gap ends within a second.
const Every = 250 * time.Millisecond

// pause is the shortest time between two attempts to reattach a thing, because another program
// may detach it all the time.
const pause = time.Second

// budget limits how long one Look reattaches things. Each takes 25 ms if the kernel waits for
// RCU. The next Look handles the others.
const budget = 200 * time.Millisecond

// silence is the shortest time between two messages about a task that takes many Looks.
const silence = 10 * time.Second

// shown is the maximum number of things that a message or the notes name.
const shown = 5

// Thing is an attachment that other programs can remove or switch off.
type Thing struct {
	Name func() string
	// Held reports whether it is attached and works.
	Held func() (bool, error)
	// Again attaches it again. Its error wraps [ErrGone] if the target has vanished. Nil: the
	// keeper only waits.
	Again func() error

	seen   time.Time // last time it was attached
	tried  time.Time // last attempt to attach it again
	late   bool      // detached, and waits for the next Look
	off    error     // why it cannot be attached again; nil if it is attached
	times  int       // how often it was found detached
	missed time.Duration
}

// ErrGone means that the target has vanished. The keeper does not report it; the caller does.
var ErrGone = errors.New("what it was attached to has gone")

var errWaiting = errors.New("waiting")

// Words are the format strings of a [Keeper]'s messages.
type Words struct {
	Off    string // takes names: "another program detached pktstat from %s"
	Again  string // what the keeper did: "attached again"
	Missed string // takes a duration: "up to %s was not counted"
	Until  string // takes a time or "now": "counted up to %s"
}

// TakenOff are the words for attachments that count packets.
var TakenOff = Words{
	Off: "another program detached pktstat from %s", Again: "attached again",
	Missed: "up to %s was not counted", Until: "counted up to %s",
}

// Keeper watches things. Its methods must not be called concurrently.
type Keeper struct {
	words  Words
	now    func() time.Time
	notify func(format string, args ...any)
	debugf func(format string, args ...any)

	things []*Thing
	taken  []*Thing // the first things that were found detached; Remove keeps them
	others tally    // sum of all other things

	again, off round // for the next message
	spoke      time.Time
}

// tally is the sum of the things that the notes do not name.
type tally struct {
	things, times, off int
	longest            time.Duration
}

// New returns a keeper without things. notify sends a message to the user.
func New(w Words, now func() time.Time, notify, debugf func(format string, args ...any)) *Keeper {
	return &Keeper{words: w, now: now, notify: notify, debugf: debugf}
}

// Add starts watching a thing, which has just been attached.
func (k *Keeper) Add(t *Thing) {
	t.seen = k.now()
	k.things = append(k.things, t)
}

// Remove stops watching things. The notes still describe them.
func (k *Keeper) Remove(ts ...*Thing) {
	if len(ts) > 0 {
		k.things = slices.DeleteFunc(k.things, func(t *Thing) bool { return slices.Contains(ts, t) })
	}
}

// Look checks all things and reattaches the detached ones. It reports whether anything was
// detached since the previous Look.
func (k *Keeper) Look() (gap bool) {
	end, late := k.now().Add(budget), false
	for _, t := range k.things {
		held, err := t.Held()
		gap = gap || !held || t.off != nil
		switch {
		case err != nil: // the gap counts from the last successful check
			k.debugf("check whether %s is attached: %v", t.Name(), err)
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
	// While things wait for the next Looks, a message appears every silence.
	if !late || k.now().Sub(k.spoke) >= silence {
		k.say(&k.again, k.words.Again+", "+fmt.Sprintf(k.words.Missed, length(k.again.longest)))
		k.say(&k.off, k.until("now", k.off.err))
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

// returned records that a thing is attached again.
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
	if first || t.off != nil { // the notes have the number of times
		k.again.add(t)
	}
	k.again.longest = max(k.again.longest, missed)
	t.off, t.late = nil, false
	if !k.named(t) {
		k.others.longest = max(k.others.longest, t.missed)
	}
}

// found records that a thing was found detached.
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

// round collects the things of some Looks with the same result.
type round struct {
	names   []string // for the message
	longest time.Duration
	err     error // of the last thing
}

func (r *round) add(t *Thing) { r.names = append(r.names, t.Name()) }

// say sends one message to the user.
func (k *Keeper) say(r *round, rest string) {
	if len(r.names) == 0 {
		return
	}
	k.spoke = k.now()
	k.notify("%s: %s", fmt.Sprintf(k.words.Off, some(r.names)), rest)
}

// some lists the first names.
func some(names []string) string {
	s := strings.Join(names[:min(shown, len(names))], ", ")
	if n := len(names) - shown; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// until says that nothing is counted after a time.
func (k *Keeper) until(when string, why error) string {
	s := fmt.Sprintf(k.words.Until, when)
	if why != nil && !errors.Is(why, errWaiting) {
		s += ": cannot attach again: " + why.Error()
	}
	return s
}

// Notes returns the notes for the report.
func (k *Keeper) Notes() []string {
	var notes []string
	for _, t := range k.taken {
		notes = append(notes, k.note(t))
	}
	if o := k.others; o.things > 0 {
		what := fmt.Sprintf(k.words.Off, fmt.Sprintf("%d more, %d times in all", o.things, o.times))
		notes = append(notes, fmt.Sprintf("%s: for each, "+k.words.Missed, what, length(o.longest)))
		if o.off > 0 {
			notes[len(notes)-1] += fmt.Sprintf("; still detached: %d", o.off)
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
	return what + ": " + strings.Join(rest, "; then ")
}

// length returns an upper bound of a duration in seconds.
func length(d time.Duration) string {
	const unit = 10 * time.Millisecond
	return fmt.Sprintf("%.2f s", (d + unit - 1).Truncate(unit).Seconds())
}

// Start calls look every [Every] from a goroutine. stop ends the goroutine and waits for it.
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
