"""M/M/1 in salabim: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn."""
import sys

import salabim

salabim.yieldless(False)
customers = int(sys.argv[1])
total = 0.0
done = 0


class Customer(salabim.Component):
    def process(self):
        global total, done
        begin = env.now()
        yield self.request(desk)
        yield self.hold(service.sample())
        self.release()
        total += env.now() - begin
        done += 1


class Source(salabim.Component):
    def process(self):
        for _ in range(customers):
            yield self.hold(gap.sample())
            Customer()


env = salabim.Environment(random_seed=1, trace=False)
gap = salabim.Exponential(1 / 80)
service = salabim.Exponential(1 / 100)
desk = salabim.Resource("desk", 1)
Source()
env.run()
print(done, total / done)
