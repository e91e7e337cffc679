// Package selftest checks, from inside, the machines that tools/vmtest boots.
package selftest
