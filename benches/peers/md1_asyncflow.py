"""M/D/1 in AsyncFlow, whose CPU times are constants: 80 customers a second, 10 ms of one core. Prints customers and the mean sojourn.

Edges have to take time, so they take a nanosecond, and lose nothing; the number of users is as good as constant, for Poisson arrivals.
"""
import sys

from asyncflow import AsyncFlow, SimulationRunner
from asyncflow.components import Client, Edge, Endpoint, Server
from asyncflow.settings import SimulationSettings
from asyncflow.workload import RqsGenerator
import simpy

customers = int(sys.argv[1])
moment = {"distribution": "normal", "mean": 1e-9, "variance": 1e-12}
flow = (
    AsyncFlow()
    .add_generator(
        RqsGenerator(
            id="source",
            avg_active_users={"distribution": "normal", "mean": 80, "variance": 1e-9},
            avg_request_per_minute_per_user={"mean": 60},
        )
    )
    .add_client(Client(id="client"))
    .add_servers(
        Server(
            id="desk",
            server_resources={"cpu_cores": 1, "ram_mb": 1024},
            endpoints=[
                Endpoint(
                    endpoint_name="/",
                    steps=[{"kind": "initial_parsing", "step_operation": {"cpu_time": 0.01}}],
                )
            ],
        )
    )
    .add_edges(
        Edge(id="in", source="source", target="client", latency=moment, dropout_rate=0),
        Edge(id="to", source="client", target="desk", latency=moment, dropout_rate=0),
        Edge(id="back", source="desk", target="client", latency=moment, dropout_rate=0),
    )
    .add_simulation_settings(SimulationSettings(total_simulation_time=max(5, customers // 80), sample_period_s=0.1))
)
result = SimulationRunner(env=simpy.Environment(), simulation_input=flow.build_payload()).run()
latency = {key.value: value for key, value in result.get_latency_stats().items()}
print(int(latency["total_requests"]), latency["mean"])
