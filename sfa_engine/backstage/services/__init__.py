"""The world outside: what a word, a link or an address stands for. Downloads nothing itself."""
