"""The schedules of mpi_pgd/comm/schedules.py on hosts that SimGrid simulates; for the interpreter that has it.

    /usr/bin/python3 benchmarks/simulated.py < QUESTION > ANSWER

QUESTION: {"delay": s, "bandwidth": byte/s, "eager": bytes, "window": bytes, "schedules": {algorithm: [names of its schedules]},
"graphs": {"NAME HOSTS": [neighbours of each host]}, "cases": [[algorithm or graph, hosts, [bytes of each collective], work], ...]}.
ANSWER: {"simgrid": version, "seconds": [...]}: of each case, the seconds of a round: each worker works so long, then the
collectives.

Links are full duplex, and one way takes ``delay``. A message of more than ``eager`` bytes is asked for and allowed first, as in
MPI's rendezvous; a shorter one is on its way at once. One of at most ``window`` bytes goes out before what is sent next; longer
ones are in the system's buffers together, and share the link. SimGrid's own corrections for TCP are off: the switch of
tests/hosts.py loses nothing. Some rounds go back to back, as what goes out to one host and comes in from another may overlap. On a
graph, a host sends its vector to all neighbours at once, then takes in theirs.
"""

import importlib.util
import json
import multiprocessing
import os
import sys
from functools import partial
from itertools import islice
from pathlib import Path

from simgrid import Actor, Engine, LinkInRoute, Mailbox, NetZone, simgrid_version, this_actor

SCHEDULES = Path(__file__).parents[1] / "mpi_pgd" / "comm" / "schedules.py"
NUMBER, WORD = 8, 1  # bytes: of a number, and of what asks and allows
STEPS = 32  # of a ring: all are alike, so the first so many stand for the others
ROUNDS, SYMMETRIC = 5, 16  # of a case; one with more than so many hosts that all do the same, which leaves nothing to overlap
SETTINGS = {"model": "CM02", "crosstraffic": 0, "TCP-gamma": 0, "latency-factor": 1, "bandwidth-factor": 1, "weight-S": 0}


def load():
    """The module without its package, which needs numpy."""
    spec = importlib.util.spec_from_file_location("schedules", SCHEDULES)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


schedules = load()


def star(hosts, delay, bandwidth):
    """A switch with a link to each host; a message goes up one and down another, so each has half of the delay."""
    zone = NetZone.create_star_zone("switch")
    found = []
    for number in range(hosts):
        host = zone.create_host(str(number), 1e9)
        link = zone.create_split_duplex_link(f"link{number}", bandwidth).set_latency(delay / 2).seal()
        zone.add_route(host.netpoint, None, None, None, [LinkInRoute(link, LinkInRoute.Direction.UP)], True)
        found.append(host)
    zone.seal()
    return found


def simulate(question, case):
    """Seconds of a case's round. An engine serves a process once."""
    algorithm, hosts, sizes, work = case
    engine = Engine(["simulated", "--log=root.threshold:error", *(f"--cfg=network/{key}:{SETTINGS[key]}" for key in SETTINGS)])
    graph = question.get("graphs", {}).get(f"{algorithm} {hosts}")
    rounds = 1 if algorithm != "linear" and hosts > SYMMETRIC else ROUNDS
    all_steps = 2 * (hosts - 1)
    short = STEPS if algorithm == "ring" and not graph and hosts > SYMMETRIC and all_steps > STEPS else None
    for rank, host in enumerate(star(hosts, question["delay"], question["bandwidth"])):
        nap = 0.0 if rank == 0 and algorithm == "linear" and hosts > 1 else work
        if graph:
            Actor.create(str(rank), host, swap, rank, graph[rank], sizes[0], question, nap, rounds)
            continue
        steps = list(walk(question["schedules"][algorithm], rank, hosts, sizes, short))
        Actor.create(str(rank), host, play, rank, steps, question, nap, rounds)
    engine.run()
    wire = engine.clock / rounds - work
    return work + wire * (all_steps / short if short else 1)


def walk(names, rank, hosts, sizes, short):
    """One rank's steps of a round."""
    for name, size in zip(names, sizes, strict=True):
        yield from islice(getattr(schedules, name)(rank, hosts, size // NUMBER), short)


def play(rank, steps, wire, work, rounds):
    """As train.py and collectives.py do: one after the other. What is sent at once is taken in whether or not it is awaited."""
    for step in steps:
        if step.source != schedules.NOBODY:
            long = NUMBER * len(step.receive) > wire["eager"]
            box(step.source, rank, "ask" if long else "data").set_receiver(Actor.self())
    for _ in range(rounds):
        if work:
            this_actor.sleep_for(work)
        for step in steps:
            move(rank, step, wire)


def swap(rank, neighbours, size, wire, work, rounds):
    """As MPI's neighbourhood collectives do: all messages out and in are begun, then waited for."""
    long = size > wire["eager"]
    for each in neighbours:
        box(each, rank, "ask" if long else "data").set_receiver(Actor.self())
    for _ in range(rounds):
        if work:
            this_actor.sleep_for(work)
        if long:
            for each in neighbours:
                send(rank, each, WORD, "ask")
            for each in neighbours:
                receive(each, rank, "ask")
                send(rank, each, WORD, "allow")
            for each in neighbours:
                receive(each, rank, "allow")
        for each in neighbours:
            send(rank, each, max(size, WORD), "data")
        for each in neighbours:
            receive(each, rank, "data")


def move(rank, step, wire):
    """A message out, one in, or both at once."""
    eager = wire["eager"]
    out, into = NUMBER * len(step.send), NUMBER * len(step.receive)
    sending, receiving = step.to != schedules.NOBODY, step.source != schedules.NOBODY
    if sending and out > eager:
        send(rank, step.to, WORD, "ask")
    if receiving and into > eager:
        receive(step.source, rank, "ask")
        send(rank, step.source, WORD, "allow")
    if sending and out > eager:
        receive(step.to, rank, "allow")
    if sending:
        send(rank, step.to, max(out, WORD), "data")
    if receiving:
        receive(step.source, rank, "data")
    elif out <= wire["window"]:
        this_actor.sleep_for(out / wire["bandwidth"])


def box(source, to, what):
    return Mailbox.by_name(f"{source} {to} {what}")


def send(source, to, size, what):
    """Nobody waits until it has arrived."""
    box(source, to, what).put_init(0, size).detach()


def receive(source, to, what):
    box(source, to, what).get()


def main():
    question = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)  # SimGrid chats
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        seconds = pool.map(partial(simulate, question), question["cases"], chunksize=1)
    with os.fdopen(answer, "w") as stream:
        json.dump({"simgrid": simgrid_version, "seconds": seconds}, stream)


if __name__ == "__main__":
    main()
