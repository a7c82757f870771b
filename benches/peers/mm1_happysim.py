"""M/M/1 in happysim: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn."""
import random
import sys

from happysimulator import Server, Simulation, Sink, Source
from happysimulator.distributions import ExponentialLatency

random.seed(1)
customers = int(sys.argv[1])
sink = Sink()
desk = Server("desk", service_time=ExponentialLatency(1 / 100), downstream=sink)
source = Source.poisson(rate=80, target=desk)
Simulation(sources=[source], entities=[desk, sink], duration=customers / 80).run()
print(sink.events_received, sink.average_latency())
