"""`three-tier` in SimPy: 1600/s, least outstanding over 10 tasks of 4 workers, then a database of 16 servers."""
import math
import random
import sys

import simpy

customers = int(sys.argv[1])
draw = random.Random(1)
env = simpy.Environment()
workers = [simpy.Resource(env, 4) for _ in range(10)]
outstanding = [0] * 10
database = simpy.Resource(env, 16)
mu = math.log(0.005) - 0.5 * 0.5 / 2
total = 0.0


def request():
    global total
    begin = env.now
    task = min(range(10), key=outstanding.__getitem__)
    outstanding[task] += 1
    with workers[task].request() as turn:
        yield turn
        yield env.timeout(draw.expovariate(50))
    with database.request() as turn:
        yield turn
        yield env.timeout(draw.lognormvariate(mu, 0.5))
    outstanding[task] -= 1
    total += env.now - begin


def source():
    for _ in range(customers):
        yield env.timeout(draw.expovariate(1600))
        env.process(request())


env.process(source())
env.run()
print(customers, total / customers)
