package cmd

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// habit is an option of another tool that pktstat lacks, and what to type instead.
type habit struct {
	names []string
	line  string
}

const noFilter = "packets cannot be filtered: all are counted; --by dst_port or --by src,dst groups them, and plain output is for grep"

const captureIsArgument = "a capture is an argument: pktstat FILE"

// habits are options of tcpdump, tshark, iftop, nethogs, bandwhich, ss and similar tools.
var habits = []habit{
	{[]string{"w", "write"}, "pktstat keeps no packets: tcpdump -w FILE does"},
	{[]string{"read", "file", "input"}, captureIsArgument},
	{[]string{"n", "nn", "numeric", "no-resolve", "no-resolve-dns", "nnn"}, "addresses are never resolved; --service=false leaves out the names of ports"},
	{[]string{"D", "L", "list-interfaces", "interfaces"}, "`ip link` lists the interfaces, and -i any counts on all that are up"},
	{[]string{"v", "vv", "verbose"}, "--debug says more, and --version prints the version"},
	{[]string{"q", "quiet", "silent"}, "messages go to standard error: 2>/dev/null hides them"},
	{[]string{"p", "port", "F", "filter", "host", "net", "P", "Y", "R"}, noFilter},
	{[]string{"o", "T", "format", "outfile"}, "reports are chosen by --output NAME or --output NAME=FILE, like --output json"},
	{[]string{"count"}, "--exit-over packets=N ends after so many packets, and --layer chooses the bytes of rates"},
	{[]string{"interface", "dev", "device"}, "an interface is named with -i or --iface"},
	{[]string{"interval", "delay", "d"}, "the length of an interval is --refresh (-r)"},
	{[]string{"duration", "time", "seconds", "a"}, "the length of a run is --timeout (-t)"},
	{[]string{"pid"}, "--by pid and --by comm group by process; one process cannot be chosen"},
	{[]string{"promiscuous", "promisc"}, "pktstat never turns promiscuous mode on"},
	{[]string{"snaplen", "s"}, "packets are counted with their length on the wire, whatever is copied of them"},
	{[]string{"A", "X", "XX", "xx", "e", "tt", "ttt", "tttt"}, "pktstat shows no packets: tcpdump does"},
	{[]string{"color", "colour", "no-color", "no-colour", "nocolor"}, "the variable NO_COLOR=1 turns colours off"},
	{[]string{"z", "statistics"}, "--by conversation counts both directions as one; `pktstat fields` lists what rows can be grouped by"},
	{[]string{"l", "line-buffered"}, "reports are written whole, and each line of ndjson at once"},
}

// habitOf returns what to type instead of another tool's option; "" if it is not one.
func (cl *commandLine) habitOf(name string) string {
	for _, h := range habits {
		if slices.Contains(h.names, name) {
			return h.line
		}
	}
	reader, _ := cl.reader()
	if rest, no := strings.CutPrefix(name, "no"); no {
		if o := cl.find(strings.TrimLeft(rest, "-_")); o != nil && isBool(o.value) {
			return "is " + dashed(o.name) + "=false meant?"
		}
	}
	switch {
	case reader != nil && name == reader.name:
		return captureIsArgument
	case slices.Contains(cl.outputNames, name):
		return "it is chosen by --output " + name + " or --output " + name + "=TARGET"
	case slices.Contains(cl.backendNames(), name):
		return "it is chosen by --backend " + name
	}
	return ""
}

func (cl *commandLine) backendNames() []string {
	var names []string
	for _, m := range cl.backends {
		names = append(names, m.name)
	}
	return names
}

// fieldHabits are common names for what has other names here.
var fieldHabits = map[string]string{
	"ports": "port or src_port,dst_port", "ip": "host, src or dst", "addr": "host, src or dst", "address": "host, src or dst",
	"hosts": "host or pair", "conversations": "conversation", "connection": "conversation", "program": "comm", "protocol": "proto",
}

// filterWords begin or join a filter of pcap-filter(7).
var filterWords = strings.Fields(
	"tcp udp icmp icmp6 ip ip6 arp sctp ether vlan port portrange host net src dst proto not and or less greater broadcast multicast")

// isFilter reports whether an argument is a filter, a word of one, or an address.
func isFilter(argument string) bool {
	_, _, noNet := net.ParseCIDR(argument)
	return noNet == nil || net.ParseIP(argument) != nil ||
		slices.ContainsFunc(strings.Fields(argument), func(word string) bool { return slices.Contains(filterWords, word) })
}

// valueHabit returns an error if the value suggests tcpdump's option of the same letter, which has
// another meaning here.
func (f *form) valueHabit(value string) error {
	if n, err := strconv.ParseUint(value, 10, 32); f.as == "-c" && f.of != nil && err == nil {
		return fmt.Errorf("to end after so many packets: --exit-over packets=%d; for a path of this name: %s %s", n, dashed(f.of.name), value)
	}
	return nil
}
