"""What the counts of an experiment prove: from numerators and denominators to a verdict.

The modules in here are the only ones of the engine that need NumPy and SciPy, so nobody imports
them who only serves chats; import the module you need where results are computed.
"""
