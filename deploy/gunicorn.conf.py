"""How gunicorn serves the portal, in the demo and for real."""

import gc
import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
# a page waits for the database more than it computes: few processes, some threads each
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))
# loaded once and shared: half the memory, and a portal with wrong settings does not start at all
preload_app = True
# nginx keeps connections open longer than we do otherwise, and runs into closed ones
keepalive = 75
timeout = 30
graceful_timeout = 20
# what leaks, leaks no further
max_requests = 20_000
max_requests_jitter = 2_000
# the heartbeat file of a worker must not wait for a disk
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
control_socket_disable = True
loglevel = "warning"


def post_worker_init(_worker: object) -> None:
    """Spare the collector what lives as long as the process: the portal's code and tables."""
    gc.collect()
    gc.freeze()
    # a request makes some ten thousand objects that are gone with it; 700 is a look every 0.1 ms
    gc.set_threshold(20_000, 20, 20)
