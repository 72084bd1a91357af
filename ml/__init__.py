"""What learns: frames in, models out; no table, no request.

Nothing is imported here: who only needs a word of `ml` does not pay for scikit-learn.
"""
