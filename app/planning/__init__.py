"""Forecasts and plans of a home's day: numbers in, numbers out. No database, no web, no clock.

Brings numpy, SciPy and pvlib, which take seconds to load: only `jobs/planning.py` imports it, which
only workers load, and only for such a job.

    Past         what the home generated and used, half hour by half hour
    forecasts    likely courses of the next hours, each of which the home has lived through
    battery      what a battery does under orders, simulated
    optimum      the course that costs least, by HiGHS
    day          the plan: which orders cost least over all the likely courses
    backtest     the same for days that are over, against no control and against foresight

Energy is in Wh of half hours, prices are in yen per kWh, charge is in Wh or as a share.
"""
