"""The whole story on sample input: real sockets, clearly synthetic children, judged on what the stand-ins received."""
