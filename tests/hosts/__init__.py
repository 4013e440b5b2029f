"""The reactor as a guest of real hosts, each in a process of its own."""
