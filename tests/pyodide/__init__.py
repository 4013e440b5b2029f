"""The tests that need neither threads nor sockets, on CPython 3.14 in WebAssembly (Pyodide)."""
