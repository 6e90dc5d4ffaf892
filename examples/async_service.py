"""An asyncio service that offloads its work to threads and stays responsive.

Clients send documents; the service answers each with its digest and compressed size. Small documents are many, large ones take
long. The work runs on a thread pool, so that the event loop goes on; a heartbeat measures the longest pause of the loop, which
is printed to standard error since it differs from run to run.
"""
# tolerance: rtol=0
# quick: --clients 20 --documents 10

import argparse
import asyncio
import hashlib
import random
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

WORDS = "lattice kernel tensor quorum vector beacon ripple anchor meadow signal".split()


def document(seed):
    """A text of 2 to 1000 words, most of them short."""
    choice = random.Random(seed)
    return " ".join(choice.choices(WORDS, k=int(10 ** choice.uniform(0.3, 3.0)))).encode()


def digest(text):
    """What the service is asked for; hashlib and zlib let other threads run meanwhile."""
    return hashlib.sha256(text).hexdigest(), len(zlib.compress(text, 6))


class Service:
    def __init__(self, pool):
        self.pool = pool
        self.answered = 0

    async def handle(self, reader, writer):
        loop = asyncio.get_running_loop()
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            text = await reader.readexactly(size)
            name, compressed = await loop.run_in_executor(self.pool, digest, text)
            writer.write(f"{name} {compressed}\n".encode())
            await writer.drain()
            self.answered += 1
        writer.close()


async def heartbeat(interval, longest):
    """Keeps the longest time by which the loop came late [s]."""
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(interval)
        longest[0] = max(longest[0], time.perf_counter() - begin - interval)


async def client(port, seeds):
    """Asks for one document after the other; the sum of what the answers say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    total = 0
    for seed in seeds:
        text = document(seed)
        writer.write(len(text).to_bytes(4, "big") + text)
        name, compressed = (await reader.readline()).split()
        total += int(name[:12], 16) + int(compressed)
    writer.write(bytes(4))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    return total


async def serve(clients, documents):
    longest = [0.0]
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="digest") as pool:
        service = Service(pool)
        server = await asyncio.start_server(service.handle, "127.0.0.1", 0)
        beat = asyncio.create_task(heartbeat(0.001, longest))
        port = server.sockets[0].getsockname()[1]
        sums = await asyncio.gather(*(client(port, range(i * documents, (i + 1) * documents)) for i in range(clients)))
        beat.cancel()
        server.close()
        await server.wait_closed()
    return service.answered, sum(sums), longest[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--documents", type=int, default=400, help="documents that each client sends")
    args = parser.parse_args()
    answered, total, longest = asyncio.run(serve(args.clients, args.documents))
    print(f"{answered} documents answered, check sum {total}")
    print(f"longest pause of the event loop: {1e3 * longest:.1f} ms", file=sys.stderr)


if __name__ == "__main__":
    main()
