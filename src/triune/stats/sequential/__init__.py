"""The e-processes of a rollout: evidence that may be read after every request; states in and out.

An e-process is a non-negative number E that starts at 1 and, as long as what it speaks against is
true, is ever at least c with a chance of at most 1/c (J. Ville 1939). So it can be read after every
request, without a plan of how often.
"""
