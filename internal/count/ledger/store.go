package ledger

import "iter"

// store holds values in chunks: growing copies nothing and pointers stay valid.
type store[T any] struct {
	chunks []*[chunkLen]T
	n      int
}

const (
	chunkBits = 12
	chunkLen  = 1 << chunkBits // rows of 128 bytes: half a megabyte
)

func (s *store[T]) at(i uint32) *T {
	return &s.chunks[i>>chunkBits][i&(chunkLen-1)]
}

func (s *store[T]) push() *T {
	if s.n == len(s.chunks)<<chunkBits {
		s.chunks = append(s.chunks, new([chunkLen]T))
	}
	s.n++
	return s.at(uint32(s.n - 1))
}

func (s *store[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		left := s.n
		for _, c := range s.chunks {
			for i := range min(left, chunkLen) {
				if !yield(&c[i]) {
					return
				}
			}
			left -= min(left, chunkLen)
		}
	}
}
