"""The command line: one module per command, which parses, calls and prints; nothing else.

main.py is the entry; command.py says what a command is, output.py prints, terminal.py shows progress.
"""
