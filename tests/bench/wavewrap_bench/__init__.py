"""The benches of wavewrap: figures with limits, each beside a reference measured in the same run.

A package of its own, because it drives gateway and simulator in one process, which neither of them may do.
"""
