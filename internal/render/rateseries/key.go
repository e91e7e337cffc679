package rateseries

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// key identifies a source, a process, a port and so on. The breakdown decides which fields are set.
// A key is comparable, and only its name uses memory of its own.
type key struct {
	addr  netip.Addr
	proto flow.Proto
	ether flow.EtherType
	num   uint32
	name  string
}

// breakdowns is the number of ways in which a point is broken down.
const breakdowns = 10

// byDirection is the place of the breakdown by direction.
const byDirection = 8

// names of the breakdowns: in JSON, and as titles.
var names = [breakdowns][2]string{
	{"src", "Source"}, {"dst", "Destination"}, {"local", "Local end"}, {"remote", "Remote end"}, {"process", "Process"}, {"container", "Container"},
	{"port", "Service port"}, {"proto", "Protocol"}, {"direction", "Direction"}, {"iface", "Interface"},
}

var (
	srcField, dstField  = flow.Fields.Find("src"), flow.Fields.Find("dst")
	localField          = flow.Fields.Find("local")
	remoteField         = flow.Fields.Find("remote")
	protoField          = flow.Fields.Find("proto")
	directionField      = flow.Fields.Find("direction")
	ifaceField          = flow.Fields.Find("iface")
	pidField, commField = flow.Fields.Find("pid"), flow.Fields.Find("comm")
	containerField      = flow.Fields.Find("container")
)

// has reports whether a row has the field, in a report that is grouped by d.
func has(f *flow.Field, d flow.Dims, r *flow.Row) bool { return f.In(d) && f.Has(r) }

// keysOf returns a row's key in each breakdown, if it has one.
var keysOf = [breakdowns]func(flow.Dims, *flow.Row) (key, bool){
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{addr: r.Src.Addr()}, has(srcField, d, r)
	},
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{addr: r.Dst.Addr()}, has(dstField, d, r)
	},
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{addr: r.Src.Addr()}, has(localField, d, r)
	},
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{addr: r.Dst.Addr()}, has(remoteField, d, r)
	},
	processKey,
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{name: r.Owner.Container}, has(containerField, d, r)
	},
	portKey,
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{proto: r.Proto, ether: r.EtherType}, has(protoField, d, r)
	},
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{name: r.Dir.String()}, has(directionField, d, r)
	},
	func(d flow.Dims, r *flow.Row) (key, bool) {
		return key{name: r.IfaceName()}, has(ifaceField, d, r)
	},
}

func processKey(d flow.Dims, r *flow.Row) (key, bool) {
	return key{num: r.Owner.PID, name: r.Owner.Comm}, has(pidField, d, r) || has(commField, d, r)
}

// portKey returns the lower of the two ports, which usually is the server's.
func portKey(d flow.Dims, r *flow.Row) (key, bool) {
	port := flow.ServicePort(r.Src.Port(), r.Dst.Port()) // what rows are not grouped by is 0
	k := key{num: uint32(port)}
	if d.Has(flow.DimProto) {
		k.proto = r.Proto
	}
	return k, port != 0
}

// maxName bounds the text of a key, which may come from the network.
const maxName = 96

// label returns a key's text, escaped.
func (k *key) label(breakdown int) string {
	switch names[breakdown][0] {
	case "src", "dst", "local", "remote":
		return k.addr.String()
	case "proto":
		f := flow.Key{Proto: k.proto, EtherType: k.ether}
		if p := f.Protocol(); p != "ETH" {
			return p
		}
		return "ETH " + k.ether.String()
	case "port":
		port := strconv.FormatUint(uint64(k.num), 10)
		if k.proto.HasPorts() {
			return k.proto.String() + " " + port
		}
		return port
	case "process":
		if k.num == 0 { // rows are grouped by the process's name
			return shorten(termsafe.String(k.name))
		}
		return strings.TrimSpace(shorten(termsafe.String(k.name)) + " " + strconv.FormatUint(uint64(k.num), 10))
	}
	return shorten(termsafe.String(k.name))
}

func shorten(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "") + "…"
}

// compare orders by size, the largest first, then by key. So equal series give equal documents.
func (e *share) compare(o *share) int {
	return cmp.Or(
		cmp.Compare(o.bytes, e.bytes), cmp.Compare(o.packets, e.packets),
		e.key.addr.Compare(o.key.addr), cmp.Compare(e.key.proto, o.key.proto), cmp.Compare(e.key.ether, o.key.ether),
		cmp.Compare(e.key.num, o.key.num), strings.Compare(e.key.name, o.key.name),
	)
}
