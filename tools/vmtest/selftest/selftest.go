// Package selftest checks the machines of tools/vmtest from inside.
package selftest
