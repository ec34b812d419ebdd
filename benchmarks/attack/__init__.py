"""What the boundaries stand: `python -m benchmarks.attack [--seconds 300] [--journal FILE] [--seed 1]`.

Four attacks, each bounded in cases and in time: random command lines (`lines`), calls of the public functions with
wrong values (`calls`), records that were changed or damaged (`damage`), and kills at random moments of every command
(`kills`). They count answers that are tracebacks, runs that hang, numbers that changed without a word, and results that
were lost. All four must be 0; docs/trust.md says what is promised.

A case is told by the seed, the attack and a number, so that a single one can be looked at again (`--case`), and a
journal, one line a case, lets a later call go on where an earlier one has ended.
"""
