"""The real daemon, for as long as there is time: does it hold on to anything it should let go?"""
