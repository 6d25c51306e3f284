"""Small mistakes made in the source one at a time: do the tests of that module notice?"""
