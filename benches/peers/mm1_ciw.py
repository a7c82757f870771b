"""M/M/1 in Ciw: 80 customers a second, a server of 100 a second. Prints customers and the mean sojourn."""
import sys

import ciw

customers = int(sys.argv[1])
ciw.seed(1)
network = ciw.create_network(
    arrival_distributions=[ciw.dists.Exponential(80)],
    service_distributions=[ciw.dists.Exponential(100)],
    number_of_servers=[1],
)
simulation = ciw.Simulation(network)
simulation.simulate_until_max_customers(customers)
records = simulation.get_all_records()
print(len(records), sum(r.exit_date - r.arrival_date for r in records) / len(records))
