"""M/M/1 in SimPy: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn."""
import random
import sys

import simpy

customers = int(sys.argv[1])
draw = random.Random(1)
env = simpy.Environment()
desk = simpy.Resource(env, 1)
total = 0.0


def customer():
    global total
    begin = env.now
    with desk.request() as turn:
        yield turn
        yield env.timeout(draw.expovariate(100))
    total += env.now - begin


def source():
    for _ in range(customers):
        yield env.timeout(draw.expovariate(80))
        env.process(customer())


env.process(source())
env.run()
print(customers, total / customers)
