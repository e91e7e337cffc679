package labeltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
)

// checks are the rules for a label, in the order in which the suite checks them.
var checks = []check{
	{"registration", checkRegistration},
	{"fields", checkFields},
	{"flags", checkFlags},
	{"configs are independent", checkIndependence},
	{"records", checkRecords},
	{"a flow keeps its number", checkSameNumber},
	{"numbers that are given up", checkGivenUp},
	{"no room for numbers", checkNoRoom},
	{"rows", checkRows},
	{"rows at a time", checkRowsAtATime},
	{"hostile keys", checkHostile},
	{"closed twice", checkClose},
}

// room is a limit of numbers that no check reaches.
const room = 1 << 16

// checkRecords: the new numbers stand for the known values and the label's values. The label
// changes nothing else in a record. A label by which rows cannot be grouped adds its values to
// rows only.
func checkRecords(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		o.window(ctx)
		return s.numbered(o)
	})
}

// numbered passes all cases to the label as records, and compares the result.
func (s *suite) numbered(o *opened) error {
	recs := s.records(o.tuples)
	before := append([]flow.Record(nil), recs...)
	o.Records(recs)
	for i, c := range s.Cases {
		if o.rowsOnly {
			c.Want = nil
		}
		if err := s.compare(c, o.row(&before[i]), o.row(&recs[i])); err != nil {
			return fmt.Errorf("record %+v: %w", c.Key, err)
		}
		if len(c.Want) == 0 && recs[i].Key.OwnerID != before[i].Key.OwnerID {
			return fmt.Errorf("record %+v: the label has no value for it, but its number %d became %d", c.Key, before[i].Key.OwnerID, recs[i].Key.OwnerID)
		}
		recs[i].Key.OwnerID, recs[i].Match = before[i].Key.OwnerID, before[i].Match
		if recs[i] != before[i] {
			return fmt.Errorf("record %+v: it became %+v", before[i], recs[i])
		}
	}
	return nil
}

// records returns the cases as records. Their numbers stand for the values of earlier labels.
func (s *suite) records(tuples *ids.Table) []flow.Record {
	recs := make([]flow.Record, len(s.Cases))
	for i, c := range s.Cases {
		n := uint64(i + 1)
		recs[i] = flow.Record{Key: flow.Pack(c.Key), Counters: flow.Counters{Packets: n, Bytes: 100 * n, FrameBytes: 114 * n}, First: 1, Last: 2}
		recs[i].Key.OwnerID = tuples.Number(&c.Owner)
	}
	return recs
}

// row returns a record as outputs get it.
func (o *opened) row(r *flow.Record) flow.Row {
	p := flow.NewRow(r)
	row := p.Readable()
	row.Owner = o.tuples.Get(r.Key.OwnerID)
	return row
}

// compare finds a field with a wrong value, and a field that the label must not change.
func (s *suite) compare(c Case, before, after flow.Row) error {
	own, err := s.fields()
	if err != nil {
		return err
	}
	for name := range c.Want {
		if own[name] == nil {
			return fmt.Errorf("the test wants %q, which is no field of the label", name)
		}
	}
	for _, f := range flow.Fields.All() {
		was, is := value(f, &before), value(f, &after)
		if own[f.Name] == nil {
			if f.Role != flow.Rate && is != was {
				return fmt.Errorf("field %s is not the label's, and %q became %q", f.Name, was, is)
			}
			continue
		}
		if is != c.Want[f.Name] {
			return fmt.Errorf("field %s is %q, want %q", f.Name, is, c.Want[f.Name])
		}
	}
	return nil
}

// value returns a field's value as text, "" if the row has none.
func value(f *flow.Field, row *flow.Row) string {
	if f.Role == flow.Rate || !f.Has(row) {
		return ""
	}
	return string(f.AppendValue(nil, &flow.Report{}, row))
}

// checkSameNumber: records of one flow keep one number, so they stay one row.
func checkSameNumber(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		o.window(ctx)
		first := s.records(o.tuples)
		o.Records(first)
		for n := range 3 {
			if n == 2 {
				o.window(ctx)
			}
			recs := s.records(o.tuples)
			o.Records(recs)
			for i := range recs {
				if a, b := first[i].Key.OwnerID, recs[i].Key.OwnerID; a != b {
					return fmt.Errorf("record %+v has the number %d, and later %d", s.Cases[i].Key, a, b)
				}
			}
		}
		return nil
	})
}

// checkGivenUp: the label does not use a number after the table gave it to another owner.
func checkGivenUp(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		o.window(ctx)
		o.Records(s.records(o.tuples))
		o.tuples.Sweep(func(func(uint32) bool) {})
		for i := range uint32(4 * (len(s.Cases) + 1)) {
			o.tuples.Number(&flow.Owner{PID: 1 << 30, Start: uint64(i), Comm: "another"})
		}
		return s.numbered(o)
	})
}

// checkNoRoom: if the table is full, the label keeps the earlier values.
func checkNoRoom(ctx context.Context, s *suite) error {
	full := ids.New(everything, room)
	s.records(full)
	return s.with(ctx, full.Len(), func(o *opened) error {
		o.window(ctx)
		recs := s.records(o.tuples)
		before := append([]flow.Record(nil), recs...)
		o.Records(recs)
		for i := range recs {
			if a, b := before[i].Key.OwnerID, recs[i].Key.OwnerID; a != b {
				return fmt.Errorf("record %+v: the table of numbers is full, and the number %d became %d", s.Cases[i].Key, a, b)
			}
		}
		return nil
	})
}

// rows returns the cases as rows.
func (s *suite) rows() (rows []flow.Row, to []*flow.Row) {
	rows = make([]flow.Row, len(s.Cases))
	for i, c := range s.Cases {
		p := flow.PackedRow{Key: flow.Pack(c.Key)}
		rows[i] = p.Readable()
		rows[i].Owner = c.Owner
		to = append(to, &rows[i])
	}
	return rows, to
}

// labelled passes all cases to the label as rows, and compares the result.
func (s *suite) labelled(o *opened) error {
	before, _ := s.rows()
	after, to := s.rows()
	o.Rows(to)
	for i, c := range s.Cases {
		if err := s.compare(c, before[i], after[i]); err != nil {
			return fmt.Errorf("row %+v: %w", c.Key, err)
		}
	}
	return nil
}

// checkRows: rows get the same values as records, unless the label sees every record.
func checkRows(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		o.window(ctx)
		o.Rows(nil)
		if o.always {
			_, to := s.rows()
			o.Rows(to)
			return nil
		}
		return s.labelled(o)
	})
}

// checkRowsAtATime: Rows and Records may run concurrently. Only the race detector finds all
// errors.
func checkRowsAtATime(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for g := range errs {
			wg.Go(func() {
				errs[g] = s.try(ctx, func(context.Context, *suite) error {
					for range 50 {
						if o.always {
							_, to := s.rows()
							o.Rows(to)
						} else if err := s.labelled(o); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
		for range 50 {
			o.window(ctx)
			o.Records(s.records(o.tuples))
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// checkHostile: keys and numbers may have any value.
func checkHostile(ctx context.Context, s *suite) error {
	return s.with(ctx, room, func(o *opened) error {
		o.window(ctx)
		o.Records(nil)
		o.Records(make([]flow.Record, 3))
		o.Rows([]*flow.Row{{}, {HasSubtype: true}})
		var recs []flow.Record
		for proto := range 256 {
			for _, kind := range []flow.L4Kind{flow.L4None, flow.L4Ports, flow.L4Subtype, 0xff} {
				for _, family := range []flow.Family{0, flow.FamilyIPv4, flow.FamilyIPv6, 0xff} {
					k := flow.Packed{Proto: flow.Proto(proto), L4Kind: kind, Family: family, L4: math.MaxUint32, OwnerID: uint32(proto) << 24}
					recs = append(recs, flow.Record{Key: k}, flow.Record{Key: flow.Packed{EtherType: 0xffff, Proto: k.Proto, L4Kind: kind, Dir: 0xff, VLAN: 0xffff}})
				}
			}
		}
		rows := make([]*flow.Row, len(recs))
		for i := range recs {
			p := flow.NewRow(&recs[i])
			row := p.Readable()
			rows[i] = &row
		}
		o.Records(recs)
		o.Rows(rows)
		return nil
	})
}

// checkClose: Close may be called twice, and Rows after it.
func checkClose(ctx context.Context, s *suite) error {
	o, err := s.open(ctx, ids.New(everything, room))
	if err != nil {
		return err
	}
	for i := range 2 {
		if err := o.Close(); err != nil {
			return fmt.Errorf("close, call %d: %w", i+1, err)
		}
	}
	if o.always {
		return nil
	}
	if err := s.labelled(o); err != nil {
		return fmt.Errorf("after close: %w", err)
	}
	return nil
}
